// Package conventions has the names of OpenTelemetry's semantic conventions: the keys of
// attributes with the levels of OTLP that they belong to, the names of metrics, and for a
// deprecated name its successor.
//
// The names are registry.json, which generate makes of OpenTelemetry's published model and
// schema file. No name is typed in here.
package conventions

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

//go:generate go run ./generate -o registry.json

// The levels at which the conventions define an attribute.
const (
	// Resource is of an entity: a service, a host, a pod.
	Resource = "resource"
	Span     = "span"
	// Event is of a log record with an event name, or of a span's event.
	Event  = "event"
	Metric = "metric"
)

// Registry is all that is known.
type Registry struct {
	// Version is the conventions' version, such as 1.43.0.
	Version string `json:"version"`
	// Source says where the names come from.
	Source     string                `json:"source"`
	Attributes map[string]Attribute  `json:"attributes"`
	Metrics    map[string]MetricName `json:"metrics"`
}

// Attribute is one attribute's key.
type Attribute struct {
	// Levels are those of the entities, spans, events and metrics that have the attribute;
	// none for an attribute that no convention places.
	Levels []string `json:"levels,omitempty"`
	// Template says that the key is followed by a name: http.request.header.content-type.
	Template   bool `json:"template,omitempty"`
	Deprecated bool `json:"deprecated,omitempty"`
	// Successor is the key to use instead of a deprecated one; "" if there is not one only,
	// then Note says what to do.
	Successor string `json:"successor,omitempty"`
	Note      string `json:"note,omitempty"`
}

// MetricName is the name of a metric.
type MetricName struct {
	// Unit is a code of UCUM.
	Unit       string `json:"unit,omitempty"`
	Deprecated bool   `json:"deprecated,omitempty"`
	Successor  string `json:"successor,omitempty"`
	Note       string `json:"note,omitempty"`
}

//go:embed registry.json
var registryJSON []byte

// Load returns the registry. Do not change it.
var Load = sync.OnceValue(func() Registry {
	var r Registry
	if err := json.Unmarshal(registryJSON, &r); err != nil {
		panic(err) // the file is built in, and a test reads it
	}
	return r
})

// Attribute returns what the conventions say of a key, also of one that a template makes.
func (r Registry) Attribute(key string) (Attribute, bool) {
	if a, ok := r.Attributes[key]; ok {
		return a, true
	}
	for prefix := key; ; {
		dot := strings.LastIndexByte(prefix, '.')
		if dot < 0 {
			return Attribute{}, false
		}
		prefix = prefix[:dot]
		if a, ok := r.Attributes[prefix]; ok && a.Template {
			return a, true
		}
	}
}

// Successor is the key to use instead of a deprecated one, through all renames; "" if there
// is not one only.
func (r Registry) Successor(key string) string {
	return successor(key, func(key string) (bool, string) { a := r.Attributes[key]; return a.Deprecated, a.Successor })
}

// MetricSuccessor is the name to use instead of a deprecated metric's; "" if there is not
// one only.
func (r Registry) MetricSuccessor(name string) string {
	return successor(name, func(name string) (bool, string) { m := r.Metrics[name]; return m.Deprecated, m.Successor })
}

// successor follows the renames from a deprecated name to one that is not.
func successor(name string, of func(name string) (deprecated bool, next string)) string {
	for range 10 {
		deprecated, next := of(name)
		if !deprecated || next == "" {
			break
		}
		name = next
		if deprecated, _ := of(name); !deprecated {
			return name
		}
	}
	return ""
}

// Misplaced tells whether the conventions define the key, and on the other side only: for a
// resource and not for signals, or for signals and not for a resource. The conventions let
// one signal use another's attributes, so a key of spans is not misplaced on a log record.
// The levels are those of facts.Attribute.
func (r Registry) Misplaced(key, level string) bool {
	a, ok := r.Attribute(key)
	if ok && len(a.Levels) == 0 && a.Deprecated {
		a = r.Attributes[r.Successor(key)]
	}
	if len(a.Levels) == 0 {
		return false
	}
	of := slices.Contains(a.Levels, Resource)
	if level == Resource {
		return !of
	}
	return of && len(a.Levels) == 1
}
