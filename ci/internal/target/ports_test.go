package target

import (
	"reflect"
	"strings"
	"testing"
)

func TestPortsSet(t *testing.T) {
	for _, test := range []struct {
		name string
		port int
		want string // part of the error, "" for none
	}{
		{"loki", 3101, ""},
		{"otlp_http", 65535, ""},
		{"loki", 0, "not in 1..65535"},
		{"loki", 65536, "not in 1..65535"},
		{"lokki", 3101, "there are frontend, backend"},
		{"", 1, "no such port"},
	} {
		p := DefaultPorts()
		err := p.Set(test.name, test.port)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("Set(%q, %d) = %v, want %q", test.name, test.port, err, test.want)
		}
		if changed := p != DefaultPorts(); changed != (test.want == "") {
			t.Errorf("Set(%q, %d) changed the ports: %t", test.name, test.port, changed)
		}
	}
}

// Every port can be set by name, under the name that it has in JSON.
func TestPortsFields(t *testing.T) {
	var p Ports
	fields := p.fields()
	kind := reflect.TypeFor[Ports]()
	if len(fields) != kind.NumField() {
		t.Fatalf("%d names for %d ports", len(fields), kind.NumField())
	}
	for i, f := range fields {
		if tag := kind.Field(i).Tag.Get("json"); tag != f.name {
			t.Errorf("%s is called %q on the command line and %q in JSON", kind.Field(i).Name, f.name, tag)
		}
		*f.port = i + 1
	}
	if err := p.Check(); err != nil {
		t.Errorf("Check() of ports that all differ = %v", err)
	}
	p.Tempo = p.Loki
	if err := p.Check(); err == nil || !strings.Contains(err.Error(), "loki") || !strings.Contains(err.Error(), "tempo") {
		t.Errorf("Check() = %v, want an error that names loki and tempo", err)
	}
}

func TestDefaultAndFreePorts(t *testing.T) {
	if err := DefaultPorts().Check(); err != nil {
		t.Error(err)
	}
	p, err := FreePorts()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	for _, f := range p.fields() {
		if *f.port == 0 {
			t.Errorf("%s has no port", f.name)
		}
		if *f.port < lowestFree || *f.port >= highestFree {
			t.Errorf("%s has the port %d, which the system may give to a connection", f.name, *f.port)
		}
	}
}

// Notes of an earlier version have no port for a component that is new.
func TestPortsOr(t *testing.T) {
	p := Ports{Loki: 7}.Or(DefaultPorts())
	if want := DefaultPorts(); p.Loki != 7 || p.Inspector != want.Inspector || p.Tempo != want.Tempo {
		t.Errorf("Or() = %+v", p)
	}
}
