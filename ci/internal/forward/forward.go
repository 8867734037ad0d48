// Package forward describes another OTLP endpoint that gets a copy of all telemetry, and
// what Alloy gets to know about the endpoint: config/alloy/copy/forward.alloy makes the copy.
package forward

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// maxHeaders is the number of headers that config/alloy/copy/forward.alloy has room for.
const maxHeaders = 4

// Endpoint is another OTLP endpoint that gets a copy of all telemetry, as it came in. The
// zero value is none.
type Endpoint struct {
	// URL is http or https, without a slash at its end.
	URL string
	// Headers are those that the endpoint wants, at most four.
	Headers []Header
}

// Header is a header of a request, with its value, which is secret. The value is empty where
// a Secret of the cluster has it.
type Header struct{ Name, Value string }

// New returns the endpoint at an http or https URL, which takes OTLP as
// http/protobuf. Each line of the file, "" being no file, is a header that the endpoint
// wants, as "Name: value". Errors never contain a value.
func New(endpoint, file string) (f Endpoint, err error) {
	if endpoint == "" {
		if file != "" {
			return f, errors.New("--forward-headers needs --forward URL")
		}
		return f, nil
	}
	if f.URL, err = checked(endpoint); err != nil || file == "" {
		return f, err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return f, fmt.Errorf("--forward-headers: %w", err)
	}
	for i, line := range strings.Split(string(raw), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		h := Header{strings.TrimSpace(name), strings.TrimSpace(value)}
		if !ok || h.Value == "" || !httpguts.ValidHeaderFieldName(h.Name) || !httpguts.ValidHeaderFieldValue(h.Value) {
			return f, fmt.Errorf("--forward-headers: line %d of %s is not \"Name: value\"", i+1, file)
		}
		if f.has(h.Name) {
			return f, fmt.Errorf("--forward-headers: line %d of %s has the header %s a second time", i+1, file, h.Name)
		}
		f.Headers = append(f.Headers, h)
	}
	if len(f.Headers) > maxHeaders {
		return f, fmt.Errorf("--forward-headers: %s has %d headers, and there is room for %d", file, len(f.Headers), maxHeaders)
	}
	return f, nil
}

// Named returns the endpoint at a URL as New does, with headers whose values are not known
// here: a Secret of the cluster has them.
func Named(endpoint string, headers []string) (f Endpoint, err error) {
	if endpoint == "" {
		if len(headers) > 0 {
			return f, errors.New("--forward-header needs --forward URL")
		}
		return f, nil
	}
	if f.URL, err = checked(endpoint); err != nil {
		return f, err
	}
	for _, name := range headers {
		if !httpguts.ValidHeaderFieldName(name) {
			return f, fmt.Errorf("--forward-header: want the name of a header, such as Authorization; its value comes from the Secret %s", Secret)
		}
		if f.has(name) {
			return f, fmt.Errorf("--forward-header: %s a second time", name)
		}
		f.Headers = append(f.Headers, Header{Name: name})
	}
	if len(f.Headers) > maxHeaders {
		return f, fmt.Errorf("--forward-header: %d headers, and there is room for %d", len(f.Headers), maxHeaders)
	}
	return f, nil
}

func (f Endpoint) has(name string) bool {
	return slices.ContainsFunc(f.Headers, func(h Header) bool { return strings.EqualFold(h.Name, name) })
}

// Secret is the name of the Secret that has the headers' values in a cluster, by the
// headers' names.
const Secret = "forward-headers"

// checked returns the URL without the slash at its end, or says what is wrong with it.
func checked(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", errors.New("--forward: want the http or https URL of an OTLP endpoint, such as https://otlp.example.com; OTLP over gRPC is not sent")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("--forward: the URL has a user, a query or a fragment; others can read it, so put what is secret into a file for --forward-headers")
	}
	return strings.TrimSuffix(endpoint, "/"), nil
}

// Slots are the headers as forward.alloy takes them: the last one is repeated until there
// are four of them, which sends it once. An endpoint that wants no header gets X-Lab-Forward.
func (f Endpoint) Slots() (all []Header) {
	for i := range maxHeaders {
		h := Header{"X-Lab-Forward", "1"}
		if len(f.Headers) > 0 {
			h = f.Headers[min(i, len(f.Headers)-1)]
		}
		all = append(all, h)
	}
	return all
}

// Environment is what Alloy gets to know, but for the folder of the headers' values,
// LAB_FORWARD_SECRETS. It has no value of a header.
func (f Endpoint) Environment() []string {
	if f.URL == "" {
		return []string{"LAB_FORWARD_COPY=off"}
	}
	var names []string
	for _, h := range f.Slots() {
		names = append(names, h.Name)
	}
	return []string{"LAB_FORWARD_COPY=forward", "LAB_FORWARD_URL=" + f.URL, "LAB_FORWARD_HEADERS=" + strings.Join(names, ",")}
}
