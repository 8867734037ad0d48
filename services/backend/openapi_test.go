package main

import (
	"context"
	"io"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

func testTelemetry(t testing.TB) *telemetry.Telemetry {
	t.Helper()
	noExporters(t)
	tel, err := telemetry.Start(t.Context(), telemetry.Config{ServiceName: "backend", Stdout: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	return tel
}

// description is openapi.yaml, parsed, to check responses against.
type description struct {
	doc    *openapi3.T
	router routers.Router
}

func newDescription(t *testing.T) *description {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatalf("openapi.yaml cannot be read: %v", err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatalf("openapi.yaml is not valid: %v", err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	// The document is compared as text, not as YAML.
	openapi3filter.RegisterBodyDecoder("application/yaml", openapi3filter.FileBodyDecoder)
	return &description{doc: doc, router: router}
}

// check compares a response with the description of its operation and status. A request
// without a described operation must get 404 or 405.
func (d *description) check(t *testing.T, method, target, body string, w *httptest.ResponseRecorder) {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	route, params, err := d.router.FindRoute(r)
	if err != nil {
		if w.Code != 404 && w.Code != 405 {
			t.Errorf("%s %s is answered, but not described: %v", method, target, err)
		}
		return
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
		Status:                 w.Code,
		Header:                 w.Header(),
		Body:                   io.NopCloser(strings.NewReader(w.Body.String())),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("%s %s: not what is described: %v", method, target, err)
	}
}

// The description has exactly the operations that the service has.
func TestDescriptionMatchesRoutes(t *testing.T) {
	d := newDescription(t)
	var described []string
	for path, item := range d.doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	var routed []string
	for pattern := range (&api{}).routes() {
		routed = append(routed, pattern)
	}
	for pattern := range probes(httpx.NewReadiness(nil)) {
		routed = append(routed, pattern)
	}
	slices.Sort(described)
	slices.Sort(routed)
	if !slices.Equal(described, routed) {
		t.Errorf("described are %q\n   routed are %q", described, routed)
	}
}

// A test reaches every described status, except those that need a broken machine.
func TestDescribedStatusesAreTested(t *testing.T) {
	d := newDescription(t)
	tested := map[string]bool{}
	for _, tt := range apiTests {
		route, _, err := d.router.FindRoute(httptest.NewRequest(tt.method, tt.target, nil))
		if err == nil {
			tested[route.Operation.OperationID+" "+strconv.Itoa(tt.status)] = true
		}
	}
	for _, item := range d.doc.Paths.Map() {
		for _, op := range item.Operations() {
			for status := range op.Responses.Map() {
				switch status {
				case "408", "500", "503": // httpx's, store's and busy tests
					continue
				case "405": // has no route to be found by
					continue
				}
				if !tested[op.OperationID+" "+status] {
					t.Errorf("%s promises a %s that no test sees", op.OperationID, status)
				}
			}
		}
	}
}
