package ucum

import (
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/conventions"
)

func TestValid(t *testing.T) {
	for _, unit := range []string{
		"s", "ms", "us", "ns", "min", "h", "d", "By", "kBy", "KiBy", "MiBy", "bit", "1", "%", "{request}", "{request}/s", "By/s", "By{used}",
		"Cel", "[degF]", "m/s2", "kg.m/s2", "10*6", "10*-3/ul", "/min", "1/s", "(By.s)/min", "m[Hg]", "Hz", "{a/b}", "kW.h", "60.s",
	} {
		if err := Valid(unit); err != nil {
			t.Errorf("%s: %v", unit, err)
		}
	}
	for unit, want := range map[string]string{
		"seconds": "write s", "milliseconds": "write ms", "sec": "write s", "bytes": "write By", "Bytes": "write By",
		"requests": "an annotation, {requests}", "": "no unit", "/": "no unit", "By/": "missing", "s s": "spaces", "{x": "} is missing", "(s": ") is missing", "s)": "too many",
		"mmin": "no unit of UCUM", "{a}{b}": "does not follow", "µs": "ASCII", "s//h": "missing", "percent": "write %", strings.Repeat("(", 10_000): "parentheses",
	} {
		if err := Valid(unit); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", unit, err, want)
		}
	}
}

func TestInName(t *testing.T) {
	for _, test := range []struct{ unit, name, want string }{
		{"s", "collection.duration.seconds", "seconds"}, // the specification's example
		{"s", "collection.duration", ""},
		{"ms", "latency_ms", "ms"},
		{"ms", "latency.milliseconds", "milliseconds"},
		{"By", "memory.bytes", "bytes"},
		{"By", "requests.by.host", ""},
		{"MiBy", "memory_mebibytes", "mebibytes"},
		{"By/s", "disk.bytes", ""},
		{"By/s", "disk.bytes_per_second", "bytes second"},
		{"{packet}", "system.network.packets", ""},
		{"1", "stage.1", ""},
		{"s", "nodejs.eventloop.delay.min", ""},
		{"%", "cpu.percent", "percent"},
		{"nonsense", "nonsense", ""},
	} {
		if got := InName(test.unit, test.name); got != test.want {
			t.Errorf("InName(%s, %s) = %q, want %q", test.unit, test.name, got, test.want)
		}
	}
}

// The conventions' own metrics keep the rules on units. rpm, of hw.fan.speed, is no unit of
// UCUM: a mistake of the conventions.
func TestConventionsKeepTheRules(t *testing.T) {
	for name, m := range conventions.Load().Metrics {
		if m.Deprecated || m.Unit == "" || m.Unit == "rpm" {
			continue
		}
		if err := Valid(m.Unit); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if word := InName(m.Unit, name); word != "" {
			t.Errorf("%s has its unit %s in its name: %s", name, m.Unit, word)
		}
	}
}

func FuzzValid(f *testing.F) {
	f.Add("kg.m/s2{x}")
	f.Fuzz(func(t *testing.T, unit string) {
		if Valid(unit) == nil {
			InName(unit, unit)
		}
	})
}
