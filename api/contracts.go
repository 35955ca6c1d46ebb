package api

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/events"
)

func (s *Server) contractEndpoints() []endpoint {
	version := []parameter{{name: "version", sample: "", doc: "a major version, as in 1; the newest if not given"}}
	return []endpoint{
		{http.MethodGet, "/contracts", Viewer, "Every contract", nil, answering[page[contractBody]](s.contracts)},
		{http.MethodGet, "/contracts/:type", Viewer, "One contract with its fields", version, answering[contractBody](s.contract)},
		{http.MethodGet, "/contracts/:type/schema", Viewer, "One contract as a JSON Schema (2020-12) of its events", version, answering[contracts.Schema](s.schema)},
		{http.MethodGet, "/openapi.json", Viewer, "This API as an OpenAPI 3.1 document", nil, answering[map[string]jsontext.Value](s.serveOpenAPI)},
		{http.MethodGet, "/asyncapi.json", Viewer, "The platform's events as an AsyncAPI 3.1 document", nil, answering[map[string]jsontext.Value](s.serveAsyncAPI)},
	}
}

// contractBody is a contract as other teams read it.
type contractBody struct {
	Type            string   `json:"type"`
	Version         string   `json:"version"`
	Versions        []string `json:"versions"` // every major version that is kept, oldest first
	Topic           string   `json:"topic"`
	DeadLetterTopic string   `json:"dead_letter_topic"`
	Key             string   `json:"key"`
	Publisher       string   `json:"publisher"`
	Consumers       []string `json:"consumers"`
	Follows         []string `json:"follows,omitzero"`
	Retention       string   `json:"retention"`
	Purpose         string   `json:"purpose"`
	When            string   `json:"when_published"`
	Addition        bool     `json:"addition"`
	Migration       string   `json:"migration,omitzero"` // of a major version after the first: what publishers and consumers do

	Deprecated events.Deprecation `json:"deprecated,omitzero"`
	Fields     []events.Field     `json:"fields,omitzero"`
}

func (s *Server) contractOf(d *events.Definition, fields bool) contractBody {
	k := d.Contract
	b := contractBody{
		Type: k.Type, Version: k.Version, Topic: k.Topic(), DeadLetterTopic: k.DeadLetterTopic(), Key: k.Key, Publisher: k.Publisher, Consumers: k.Consumers,
		Follows: k.Follows, Retention: "unlimited", Purpose: k.Purpose, When: k.When, Addition: k.Addition,
		Migration: k.Migration, Deprecated: k.Deprecated,
	}
	for _, major := range s.Catalogue.Majors(k.Type) {
		b.Versions = append(b.Versions, major.Contract.Version)
	}
	if k.Retention != events.Unlimited {
		b.Retention = strconv.Itoa(int(k.Retention/events.Day)) + " days"
	}
	if fields {
		b.Fields = d.Fields()
	}
	return b
}

func (s *Server) contracts(c *gin.Context) {
	var all page[contractBody]
	for _, d := range s.Catalogue.All() {
		all.Items = append(all.Items, s.contractOf(d, false))
	}
	writeJSON(c, http.StatusOK, all)
}

func (s *Server) contract(c *gin.Context) {
	if d, known := s.definition(c); known {
		writeJSON(c, http.StatusOK, s.contractOf(d, true))
	}
}

func (s *Server) schema(c *gin.Context) {
	d, known := s.definition(c)
	if !known {
		return
	}
	document, err := contracts.Write(contracts.Event(d))
	if err != nil {
		s.refuse(c, err)
		return
	}
	c.Data(http.StatusOK, "application/schema+json", document)
}

// definition finds the contract of the path, of the major version that is asked for; the request has been answered when there is none.
func (s *Server) definition(c *gin.Context) (*events.Definition, bool) {
	eventType, version := c.Param("type"), c.Query("version")
	d, known := s.Catalogue.Lookup(eventType)
	if !known {
		problem(c, http.StatusNotFound, string(events.UnknownType), "no contract is named "+eventType)
		return nil, false
	}
	if version == "" {
		return d, true
	}
	if d, known = s.Catalogue.Major(eventType, version); !known {
		problem(c, http.StatusNotFound, string(events.UnsupportedVersion), "no major version of "+eventType+" is "+version+"; see its versions")
	}
	return d, known
}
