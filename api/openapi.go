package api

import (
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/accounting"
	"github.com/first-viscount/viscount/handlers/analytics"
	"github.com/first-viscount/viscount/handlers/audit"
	"github.com/first-viscount/viscount/handlers/catalog"
	"github.com/first-viscount/viscount/handlers/customers"
	"github.com/first-viscount/viscount/handlers/fulfillment"
	"github.com/first-viscount/viscount/handlers/inventory"
	"github.com/first-viscount/viscount/handlers/notifications"
	"github.com/first-viscount/viscount/handlers/orders"
	"github.com/first-viscount/viscount/handlers/payments"
	"github.com/first-viscount/viscount/handlers/procurement"
	"github.com/first-viscount/viscount/handlers/search"
)

// OpenAPIFile is where the description of the HTTP API is committed.
const OpenAPIFile = "api/openapi.json"

type object = map[string]any

// OpenAPI describes the HTTP API of the whole platform, from the table of its endpoints.
func OpenAPI(*events.Catalogue) ([]contracts.File, error) {
	whole := &Server{Options: Options{Platform: everyService()}}
	content, err := contracts.Write(openAPI(whole.endpoints()))
	return []contracts.File{{Path: OpenAPIFile, Content: content}}, err
}

// openAPI is the document of some endpoints; what processes ask each other is no part of it.
func openAPI(endpoints []endpoint) object {
	components := contracts.NewComponents()
	problemRef := components.Answer(reflect.TypeFor[problemBody]())
	paths := map[string]object{}
	for _, e := range endpoints {
		if e.role == Process || tagOf(e) == "peers" {
			continue
		}
		path := "/api/v1" + templated(e.path)
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path][strings.ToLower(e.method)] = operation(e, components)
	}
	return object{
		"openapi": "3.1.1",
		"info": object{
			"title": "First Viscount", "version": "1.0.0", "description": "Commands and queries of the platform's services, its events and its operation. Written from the table of endpoints in api/.",
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":  []object{{"url": "/", "description": "Any process of the platform: each answers for all."}},
		"security": []object{{"token": []string{}}, {}},
		"paths":    paths,
		"components": object{
			"schemas":         components.All(),
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "A token of http.auth; without auth configured, a server on loopback asks for none."}},
			"responses":       object{"Problem": object{"description": "What is wrong (RFC 9457).", "content": object{"application/problem+json": object{"schema": problemRef}}}},
		},
	}
}

// templated writes a path's parameters as OpenAPI does.
func templated(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

func tagOf(e endpoint) string { return strings.Split(e.path, "/")[1] }

func operation(e endpoint, components *contracts.Components) object {
	o := object{
		"operationId": operationID(e), "summary": e.summary, "tags": []string{tagOf(e)}, "x-role": string(e.role),
		"parameters": parameters(e), "responses": responses(e, components),
	}
	if e.body != nil {
		o["requestBody"] = bodyOf(e, components)
	}
	return o
}

func operationID(e endpoint) string {
	id := strings.ToLower(e.method)
	for part := range strings.SplitSeq(strings.Trim(e.path, "/"), "/") {
		part = strings.TrimPrefix(part, ":")
		for word := range strings.SplitSeq(part, "-") {
			id += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return id
}

func parameters(e endpoint) (all []object) {
	for part := range strings.SplitSeq(e.path, "/") {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			all = append(all, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string", "minLength": 1}})
		}
	}
	for _, p := range e.query {
		all = append(all, object{"name": p.name, "in": "query", "required": p.required, "description": p.doc, "schema": parameterSchema(p)})
	}
	header := func(name, description string, schema object) {
		all = append(all, object{"name": name, "in": "header", "required": false, "description": description, "schema": schema})
	}
	header(correlationHeader, "Kept through all that follows; made if absent.", object{"type": "string", "maxLength": events.MaxID, "pattern": events.IDPattern()})
	switch {
	case e.method == http.MethodPost && e.service != "":
		header(idempotencyHeader, "A repetition with the same key and body gets the first answer.", object{"type": "string"})
	case e.method == http.MethodPut && e.path == "/products/:id":
		header("If-Match", "The ETag that the change is made on.", object{"type": "string"})
	}
	return all
}

func parameterSchema(p parameter) object {
	s := object{"type": "string"}
	switch p.sample.(type) {
	case int:
		s = object{"type": "integer"}
	case bool:
		s = object{"type": "boolean"}
	case time.Time:
		s = object{"type": "string", "format": "date-time"}
	case events.Money:
		s["pattern"] = events.MoneyPattern
	case month:
		s["pattern"] = monthPattern
	}
	if p.name == "limit" {
		s["minimum"], s["maximum"] = 1, maxLimit
	}
	if len(p.oneOf) > 0 {
		s["enum"] = p.oneOf
	}
	return s
}

func bodyOf(e endpoint, components *contracts.Components) object {
	if _, free := e.body.(jsontext.Value); free { // events, which their own schemas describe
		event := components.Event()
		return object{"required": true, "content": object{
			"application/json": object{"schema": object{"anyOf": []any{event, object{"type": "array", "items": event, "minItems": 1}}}},
			ndjsonType:         object{"schema": object{"type": "string", "minLength": 1, "description": "One event a line."}},
		}}
	}
	return object{"required": true, "content": object{"application/json": object{"schema": components.Request(reflect.TypeOf(e.body))}}}
}

// responses are the answer and every problem that the endpoint can meet.
func responses(e endpoint, components *contracts.Components) object {
	answer := object{"description": e.summary + "."}
	switch e.answer.(type) {
	case nil:
	case serverSent:
		answer["content"] = object{"text/event-stream": object{"schema": object{"type": "string"}}}
	case contracts.Schema:
		answer["content"] = object{"application/schema+json": object{"schema": components.Answer(reflect.TypeOf(e.answer))}}
	default:
		answer["content"] = media(e, components)
	}
	all := object{strconv.Itoa(e.status): answer}
	for _, status := range problemsOf(e) {
		all[strconv.Itoa(status)] = object{"$ref": "#/components/responses/Problem"}
	}
	return all
}

// media are the forms of an answer: JSON, and what an export may be asked for.
func media(e endpoint, components *contracts.Components) object {
	schema := components.Answer(reflect.TypeOf(e.answer))
	lines := object{"schema": object{"type": "string", "description": "One JSON document a line."}}
	if strings.HasSuffix(e.path, "/export") {
		return object{ndjsonType: lines}
	}
	all := object{"application/json": object{"schema": schema}}
	forms := map[string]object{"csv": {"text/csv": object{"schema": object{"type": "string"}}}, "ndjson": {ndjsonType: lines}}
	for _, p := range e.query {
		for _, form := range p.oneOf {
			if p.name == "format" {
				maps.Copy(all, forms[form])
			}
		}
	}
	return all
}

func problemsOf(e endpoint) []int {
	all := []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable}
	if strings.Contains(e.path, ":") || e.body != nil { // what the path or the body names may not be there
		all = append(all, http.StatusNotFound)
	}
	if e.method != http.MethodGet || len(e.query) > 0 {
		all = append(all, http.StatusUnprocessableEntity)
	}
	if e.method != http.MethodGet {
		all = append(all, http.StatusConflict)
	}
	if e.body != nil {
		all = append(all, http.StatusRequestEntityTooLarge)
	}
	if e.method == http.MethodPut {
		all = append(all, http.StatusPreconditionFailed)
	}
	return all
}

func (s *Server) serveOpenAPI(c *gin.Context) { serveDocument(c, OpenAPI, s.Catalogue) }

func (s *Server) serveAsyncAPI(c *gin.Context) { serveDocument(c, contracts.AsyncAPI, s.Catalogue) }

func serveDocument(c *gin.Context, write func(*events.Catalogue) ([]contracts.File, error), catalogue *events.Catalogue) {
	files, err := write(catalogue)
	if err != nil || len(files) == 0 {
		problem(c, http.StatusInternalServerError, "internal", "the document could not be written")
		return
	}
	c.Data(http.StatusOK, "application/json", files[0].Content)
}

// everyService is a platform of all services, without their databases.
func everyService() Platform {
	return Platform{
		Catalog: &catalog.Service{}, Inventory: &inventory.Service{}, Orders: &orders.Service{}, Payments: &payments.Service{}, Fulfillment: &fulfillment.Service{},
		Notifications: &notifications.Service{}, Audit: &audit.Service{}, Procurement: &procurement.Service{}, Customers: &customers.Service{},
		Accounting: &accounting.Service{}, Search: &search.Service{}, Analytics: &analytics.Service{},
	}
}
