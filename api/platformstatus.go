package api

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
)

// instanceAt is where an instance of some services should be, and what it answers.
type instanceAt struct {
	url       *url.URL
	services  []string
	transport *http.Transport
	answer    instanceStatus
	err       error
}

// instances are the URLs of http.peers, each once.
func (s *Server) instances() []*instanceAt {
	var list []*instanceAt
	for _, p := range s.Peers {
		for _, u := range p.URLs {
			i := slices.IndexFunc(list, func(one *instanceAt) bool { return one.url.String() == u.String() })
			if i < 0 {
				i = len(list)
				list = append(list, &instanceAt{url: u, transport: s.transport})
			}
			list[i].services = append(list[i].services, p.Service)
		}
	}
	return list
}

// atEachAddress puts an instance at each address of a name that has several, such as that of a headless Service of Kubernetes.
func (s *Server) atEachAddress(ctx context.Context, list []*instanceAt) []*instanceAt {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	found := make([][]*instanceAt, len(list))
	var looked sync.WaitGroup
	for i, one := range list {
		looked.Go(func() {
			addresses, err := s.lookup(ctx, "ip4", one.url.Hostname())
			if err != nil || len(addresses) == 0 { // of one family alone: the other's would be the same instances
				addresses, _ = s.lookup(ctx, "ip6", one.url.Hostname())
			}
			if len(addresses) < 2 { // whoever asks there tells what is wrong with the name
				found[i] = []*instanceAt{one}
				return
			}
			for _, address := range addresses {
				found[i] = append(found[i], &instanceAt{url: one.url, services: one.services, transport: transportTo(address)})
			}
		})
	}
	looked.Wait()
	return slices.Concat(found...)
}

// transportTo connects to one address, whatever else the name has: host and certificate are still the name's.
func transportTo(address netip.Addr) *http.Transport {
	t := newPeerTransport()
	dial := (&net.Dialer{Timeout: connectTimeout}).DialContext
	t.DisableKeepAlives = true // it serves one question
	t.DialContext = func(ctx context.Context, network, name string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(name)
		if err != nil {
			return nil, err
		}
		return dial(ctx, network, net.JoinHostPort(address.Unmap().String(), port))
	}
	return t
}

// platformStatus adds to this process's status what its peers say of theirs.
func (s *Server) platformStatus(c *gin.Context, here instanceStatus) Status {
	peers := s.atEachAddress(c.Request.Context(), s.instances())
	asker := askerFor(c)
	var asked sync.WaitGroup
	for _, one := range peers {
		asked.Go(func() {
			at := &peer{Peer: Peer{Service: strings.Join(one.services, ", "), URLs: []*url.URL{one.url}}, transport: one.transport}
			one.err = asker.get(c.Request.Context(), at, "/status", nil, askTimeout, &one.answer)
		})
	}
	asked.Wait()

	sum := newStatusSum(here)
	for _, one := range peers {
		sum.add(one)
	}
	for _, p := range s.Peers {
		if sum.services[p.Service] == nil { // nobody knows how it stands
			sum.services[p.Service] = &standing{ServiceStatus: ServiceStatus{Service: p.Service}}
		}
	}
	return sum.status()
}

// statusSum adds up what instances say. Those of one service share its database: only what each has in flight, and what the
// transport holds for it, is its own.
type statusSum struct {
	profile  string
	degraded []string
	services map[string]*standing
	counted  map[string]bool // instances, which may answer at several URLs
}

func newStatusSum(here instanceStatus) *statusSum {
	sum := &statusSum{profile: here.Profile, degraded: []string{}, services: map[string]*standing{}, counted: map[string]bool{}}
	sum.count(here)
	return sum
}

func (m *statusSum) add(one *instanceAt) {
	if one.err != nil {
		m.note(one.err.Error())
		return
	}
	for _, service := range one.services {
		if !slices.ContainsFunc(one.answer.Services, func(a standing) bool { return a.Service == service }) {
			m.note(service + ": does not run at " + one.url.Redacted() + ", as http.peers says")
		}
	}
	m.count(one.answer)
}

func (m *statusSum) count(instance instanceStatus) {
	if m.counted[instance.Instance] {
		return
	}
	m.counted[instance.Instance] = true
	for _, line := range instance.Degraded {
		m.note(line)
	}
	for _, one := range instance.Services {
		one.LagEvents, one.LagSeconds = 0, 0 // as far as that instance knew
		before := m.services[one.Service]
		if before == nil {
			m.services[one.Service] = &one
			continue
		}
		inFlight, paused, due := before.InFlight+one.InFlight, before.Paused || one.Paused, before.Owed.and(one.Owed)
		why := cmp.Or(before.WhyPaused, one.WhyPaused)
		if !before.Ready && one.Ready {
			*before = one
		}
		before.InFlight, before.Paused, before.WhyPaused, before.Owed = inFlight, paused, why, due
	}
}

func (m *statusSum) note(line string) {
	if !slices.Contains(m.degraded, line) {
		m.degraded = append(m.degraded, line)
	}
}

func (m *statusSum) status() Status {
	all := make([]standing, 0, len(m.services))
	for _, one := range m.services {
		all = append(all, *one)
	}
	slices.SortFunc(all, func(a, b standing) int { return strings.Compare(a.Service, b.Service) })
	addLag(all)
	status := Status{Profile: m.profile, Degraded: m.degraded, Services: make([]ServiceStatus, len(all))}
	for i, one := range all {
		status.Services[i] = one.ServiceStatus
	}
	return status
}
