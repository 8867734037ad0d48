package httpx

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

// Clients depend on the document, so the test compares every byte.
func TestProblemGolden(t *testing.T) {
	l := newHarness(t, RouterConfig{})
	e := Errorf(422, "The user is not valid.")
	e.Fields = []FieldError{{Field: "name", Detail: `Not "<this>".`}}
	l.Handle("GET /users/{id}", func(http.ResponseWriter, *http.Request) error { return e })
	server := runServer(t, l, ServerConfig{})
	req, err := http.NewRequest("GET", "http://"+server.addr+"/users/a%20b?email=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(HeaderRequestID, "id-1")
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "type": "about:blank",
  "title": "Unprocessable Entity",
  "status": 422,
  "detail": "The user is not valid.",
  "instance": "/users/a%20b",
  "request_id": "id-1",
  "trace_id": "0af7651916cd43dd8448eb211c80319c",
  "errors": [
    {
      "field": "name",
      "detail": "Not \"\u003cthis\u003e\"."
    }
  ]
}
`
	var got bytes.Buffer
	if err := json.Indent(&got, body, "", "  "); err != nil || got.String() != want {
		t.Errorf("problem is %v %s\nwant %s", err, &got, want)
	}
	for name, want := range map[string]string{"Content-Type": ProblemContentType, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
