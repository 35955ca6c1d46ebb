package app

import (
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/router"
)

// peers are the processes of http.peers, with the names under which their services publish.
func (a *App) peers() ([]api.Peer, error) {
	sources := map[string]string{}
	for _, c := range slices.Concat(routes(services(config.Config{})), a.options.Consumers) {
		sources[c.Name] = c.SourceService()
	}
	var list []api.Peer
	configured := a.options.Config.HTTP.Peers
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		p := api.Peer{Service: name, Source: sources[name]}
		if p.Source == "" {
			p.Source = router.Consumer{Name: name}.SourceService()
		}
		for _, text := range configured[name] {
			base, err := url.Parse(text)
			if err != nil {
				return nil, fmt.Errorf("http.peers.%s: %w", name, err)
			}
			p.URLs = append(p.URLs, base)
		}
		list = append(list, p)
	}
	return list, nil
}
