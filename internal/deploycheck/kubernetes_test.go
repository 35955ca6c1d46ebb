package deploycheck

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// cluster is what the example's overlay makes of the manifests, read strictly: no field that Kubernetes does not have, none
// twice, each of its type.
type cluster struct {
	deployments map[string]*appsv1.Deployment
	jobs        map[string]*batchv1.Job
	services    map[string]*corev1.Service
	budgets     map[string]*policyv1.PodDisruptionBudget
	configs     map[string]*corev1.ConfigMap
	secrets     map[string]*corev1.Secret
	policies    []*networkingv1.NetworkPolicy
}

func build(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(folder+"/kubernetes")))
	for _, name := range []string{"postgres-password", "kafka-password", "procurement-token", "tokens"} {
		file := filepath.Join(dir, "example", "secrets", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte("secret"), 0o600))
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(dir, "example"))
	require.NoError(t, err)
	c := &cluster{
		deployments: map[string]*appsv1.Deployment{}, jobs: map[string]*batchv1.Job{}, services: map[string]*corev1.Service{},
		budgets: map[string]*policyv1.PodDisruptionBudget{}, configs: map[string]*corev1.ConfigMap{}, secrets: map[string]*corev1.Secret{},
	}
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, resource := range made.Resources() {
		text, err := resource.AsYAML()
		require.NoError(t, err)
		object, _, err := strict.Decode(text, nil, nil)
		require.NoError(t, err, "%s %s", resource.GetKind(), resource.GetName())
		c.add(object)
	}
	return c
}

func (c *cluster) add(object runtime.Object) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		c.deployments[o.Name] = o
	case *batchv1.Job:
		c.jobs[o.Name] = o
	case *corev1.Service:
		c.services[o.Name] = o
	case *policyv1.PodDisruptionBudget:
		c.budgets[o.Name] = o
	case *corev1.ConfigMap:
		c.configs[o.Name] = o
	case *corev1.Secret:
		c.secrets[o.Name] = o
	case *networkingv1.NetworkPolicy:
		c.policies = append(c.policies, o)
	}
}

// environment is what a container sees: its own variables and those of the config maps that it takes in.
func (c *cluster) environment(t *testing.T, pod corev1.PodTemplateSpec) map[string]string {
	t.Helper()
	env := map[string]string{}
	container := pod.Spec.Containers[0]
	for _, from := range container.EnvFrom {
		require.Contains(t, c.configs, from.ConfigMapRef.Name)
		maps.Copy(env, c.configs[from.ConfigMapRef.Name].Data)
	}
	for _, v := range container.Env {
		env[v.Name] = v.Value
		if v.ValueFrom != nil {
			label := strings.TrimSuffix(strings.TrimPrefix(v.ValueFrom.FieldRef.FieldPath, "metadata.labels['"), "']")
			require.NotEmpty(t, pod.Labels[label], "%s is the label %s", v.Name, label)
			env[v.Name] = pod.Labels[label]
		}
	}
	return env
}

// lockedUp is the restricted standard of pod security, and a file system that nobody writes to.
func (c *cluster) lockedUp(t *testing.T, name string, pod corev1.PodTemplateSpec) {
	t.Helper()
	require.Len(t, pod.Spec.Containers, 1, name)
	container := pod.Spec.Containers[0]
	require.True(t, *pod.Spec.SecurityContext.RunAsNonRoot, name)
	require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.Spec.SecurityContext.SeccompProfile.Type, name)
	require.False(t, *pod.Spec.AutomountServiceAccountToken, name)
	require.True(t, *container.SecurityContext.ReadOnlyRootFilesystem, name)
	require.False(t, *container.SecurityContext.AllowPrivilegeEscalation, name)
	require.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop, name)
	require.NotZero(t, container.Resources.Requests.Cpu().MilliValue(), name)
	require.NotZero(t, container.Resources.Limits.Memory().Value(), name)
	require.Equal(t, "registry.example.com/viscount:1.0.0", container.Image, "%s: the overlay's image", name)
	require.Len(t, pod.Spec.Volumes, 1, name)
	require.Contains(t, c.secrets, pod.Spec.Volumes[0].Secret.SecretName, name)
	mounted := []string{}
	for file := range c.secrets[pod.Spec.Volumes[0].Secret.SecretName].Data {
		mounted = append(mounted, container.VolumeMounts[0].MountPath+"/"+file)
	}
	accepts(t, c.environment(t, pod), mounted)
}

func selects(t *testing.T, selector *metav1.LabelSelector, pod corev1.PodTemplateSpec) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	require.NoError(t, err)
	return s.Matches(labels.Set(pod.Labels))
}

// The manifests are what Kubernetes takes, each process is locked up, and the program accepts its settings.
func TestKubernetes(t *testing.T) {
	c := build(t)
	require.NotEmpty(t, c.deployments)
	for name, d := range c.deployments {
		pod := d.Spec.Template
		c.lockedUp(t, name, pod)
		container := pod.Spec.Containers[0]
		service := c.environment(t, pod)["VISCOUNT_SERVICES"]
		require.Equal(t, "viscount-"+service, name, "peers know it by this name")
		require.Equal(t, "/livez", container.LivenessProbe.HTTPGet.Path, name)
		require.Equal(t, "/livez", container.StartupProbe.HTTPGet.Path, name)
		require.Equal(t, "/readyz", container.ReadinessProbe.HTTPGet.Path, name)
		require.Greater(t, *pod.Spec.TerminationGracePeriodSeconds, int64(25)+container.Lifecycle.PreStop.Sleep.Seconds, "%s: drain_timeout", name)
		require.Contains(t, c.services, name)
		require.Equal(t, corev1.ClusterIPNone, c.services[name].Spec.ClusterIP, "%s: status asks each process behind the name", name)
		require.False(t, c.services[name].Spec.PublishNotReadyAddresses, name)
		address := fmt.Sprintf("%s=http://%s:%d", service, name, container.Ports[0].ContainerPort)
		require.Contains(t, strings.Split(c.environment(t, pod)["VISCOUNT_HTTP_PEERS"], ","), address, "the process's own port: nothing translates it")
		require.Contains(t, c.budgets, name)
		for other, d := range c.deployments {
			mine, pod := other == name, d.Spec.Template
			require.Equal(t, mine, selects(t, c.deployments[name].Spec.Selector, pod), "deployment %s, pods of %s", name, other)
			require.Equal(t, mine, selects(t, &metav1.LabelSelector{MatchLabels: c.services[name].Spec.Selector}, pod), "service %s, pods of %s", name, other)
			require.Equal(t, mine, selects(t, c.budgets[name].Spec.Selector, pod), "budget %s, pods of %s", name, other)
			require.Equal(t, mine, selects(t, pod.Spec.TopologySpreadConstraints[0].LabelSelector, c.deployments[name].Spec.Template), "spread of %s, pods of %s", other, name)
		}
	}
	require.Len(t, c.jobs, 2)
	for name, job := range c.jobs {
		c.lockedUp(t, name, job.Spec.Template)
		for _, s := range c.services {
			require.False(t, selects(t, &metav1.LabelSelector{MatchLabels: s.Spec.Selector}, job.Spec.Template), "%s gets no requests of %s", name, s.Name)
		}
	}
	require.Len(t, c.policies, 1)
	require.Len(t, c.policies[0].Spec.PolicyTypes, 2, "what is not named is refused, both ways")
}

// PostgreSQL's default of 100 connections, three of them reserved, holds every process of the platform while it is replaced.
func TestConnectionsFitThePostgreSQLDefault(t *testing.T) {
	c, processes, connections := build(t), int32(0), int32(0)
	for name, d := range c.deployments {
		require.Zero(t, d.Spec.Strategy.RollingUpdate.MaxSurge.IntValue(), "%s: a replacement takes the place of the old process", name)
		perProcess := int32(3) // of the service's store
		if c.environment(t, d.Spec.Template)["VISCOUNT_PROFILE"] == "sql" {
			perProcess++ // of the transport
		}
		processes += *d.Spec.Replicas
		connections += *d.Spec.Replicas * perProcess
	}
	const usable = 97
	require.LessOrEqual(t, connections, int32(usable), "connections of %d processes: deploy/README.md, Another service, says what to do", processes)
}
