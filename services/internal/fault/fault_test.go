package fault

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
)

func TestParse(t *testing.T) {
	tests := []struct {
		value string
		want  Fault
		ok    bool
	}{
		{"error", Fault{Error: true}, true},
		{"delay:250ms", Fault{Delay: 250 * time.Millisecond}, true},
		{"delay:1m", Fault{Delay: MaxDelay}, true},
		{"delay:5s", Fault{Delay: MaxDelay}, true},
		{"delay:0s", Fault{}, false},
		{"delay:-1s", Fault{}, false},
		{"delay:", Fault{}, false},
		{"delay:soon", Fault{}, false},
		{"delay", Fault{}, false},
		{"Error", Fault{}, false},
		{"error ", Fault{}, false},
		{"", Fault{}, false},
	}
	for _, tt := range tests {
		if got, ok := Parse(tt.value); got != tt.want || ok != tt.ok {
			t.Errorf("Parse(%q) = %v, %v; want %v, %v", tt.value, got, ok, tt.want, tt.ok)
		}
	}
}

// A fault survives its transport in the baggage, next to other entries.
func TestBaggageRoundTrip(t *testing.T) {
	other, err := baggage.NewMemberRaw("other", "kept")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(other)
	if err != nil {
		t.Fatal(err)
	}
	base := baggage.ContextWithBaggage(context.Background(), bag)
	for _, want := range []Fault{{Error: true}, {Delay: 250 * time.Millisecond}, {Delay: 1500 * time.Microsecond}} {
		ctx := Baggage(Baggage(base, Fault{Delay: time.Second}), want)
		carrier := propagation.MapCarrier{}
		propagation.Baggage{}.Inject(ctx, carrier)
		received := propagation.Baggage{}.Extract(context.Background(), carrier)
		if got, ok := FromContext(received); !ok || got != want {
			t.Errorf("%v came as %v, %v in %q", want, got, ok, carrier["baggage"])
		}
		if got := baggage.FromContext(received).Member("other").Value(); got != "kept" {
			t.Errorf("the other entry came as %q", got)
		}
	}
}

func TestNoFault(t *testing.T) {
	if f, ok := FromContext(context.Background()); ok {
		t.Errorf("a context without baggage asks for %v", f)
	}
	ctx := Baggage(context.Background(), Fault{Error: true})
	if f, ok := FromContext(Baggage(ctx, Fault{})); ok {
		t.Errorf("after the zero fault the baggage still asks for %v", f)
	}
}

func TestEnabled(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "1": true, "": false, "false": false, "yes please": false} {
		if got := Enabled(func(string) string { return value }); got != want {
			t.Errorf("LAB_FAULTS=%q: Enabled = %v, want %v", value, got, want)
		}
	}
}
