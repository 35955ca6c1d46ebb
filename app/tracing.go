package app

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// NewTracers makes the provider that exports the spans of a process over OTLP, or one that does nothing while no endpoint is
// configured. shutdown sends what is still buffered.
func NewTracers(ctx context.Context, o Options) (_ trace.TracerProvider, shutdown func(context.Context) error, err error) {
	c := o.Config.Tracing
	if c.Endpoint == "" {
		return noop.NewTracerProvider(), func(context.Context) error { return nil }, nil
	}
	options := []otlptracehttp.Option{otlptracehttp.WithEndpoint(c.Endpoint)}
	if c.Insecure {
		options = append(options, otlptracehttp.WithInsecure())
	}
	process, err := resourceOf(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, nil, fmt.Errorf("tracing to %s (tracing.endpoint): %w", c.Endpoint, err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(c.SampleRatio))),
		sdktrace.WithResource(process),
	)
	return provider, provider.Shutdown, nil
}

// namespace is the service.namespace of every process, and the service.name of one that runs several services.
const namespace = "viscount"

// resourceOf describes the process by OpenTelemetry's conventions. What the environment says (OTEL_SERVICE_NAME,
// OTEL_RESOURCE_ATTRIBUTES) wins.
func resourceOf(ctx context.Context, o Options) (*resource.Resource, error) {
	attributes := []attribute.KeyValue{
		attribute.String("service.name", o.serviceName()), attribute.String("service.namespace", namespace),
		attribute.String("service.instance.id", uuid.NewString()),
	}
	if o.Version != "" {
		attributes = append(attributes, attribute.String("service.version", o.Version))
	}
	r, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attributes...), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w; write name=value,name=value", err)
	}
	return r, nil
}

// serviceName is the name of the only service that runs in the process.
func (o Options) serviceName() string {
	var names []string
	for _, c := range o.Consumers {
		names = append(names, c.Name)
	}
	if o.Platform {
		for _, name := range ServiceNames() {
			if o.Config.Runs(name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 1 {
		return names[0]
	}
	return namespace
}
