package inspect

import (
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// shop is a service that sends a little of everything.
func shop() facts.Service {
	return facts.Service{
		Name: "shop", FirstSeen: at, LastSeen: at.Add(2 * time.Minute),
		Resources: []facts.Resource{{Attributes: map[string]string{"service.name": "shop"}, Signals: []string{"traces"}, FirstSeen: at, LastSeen: at}},
		Spans: facts.Spans{Count: 10, Errors: 1, Names: 1, Operations: []facts.Operation{
			{Name: "GET /cart", Kind: "server", Count: 10, Errors: 1, TotalSeconds: 0.5, TraceID: strings.Repeat("0a", 16), Scope: "express"},
		}},
		Logs:    facts.Logs{Count: 7, Severities: map[string]uint64{"17": 2, "9": 4, "0": 1}},
		Metrics: []facts.Metric{{Name: "cart.size", Units: []string{"{item}"}, Types: []string{"sum"}, Temporalities: []string{"delta"}, Points: 4, Series: 2, Attributes: []facts.Attribute{{Key: "tier", Values: 3}}}},
		Attributes: []facts.Attribute{
			{Key: "user.id", Level: "span", Count: 20000, Types: []string{"string"}, Values: facts.MaxAttributeValues, Examples: []string{"1", "2", "3", "4"}},
		},
	}
}

// The text has each thing once, with its numbers.
func TestText(t *testing.T) {
	var b strings.Builder
	if err := Of(shop(), at).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), " ")
	for _, want := range []string{
		"shop has sent 10 spans, 7 log records and 4 points of 1 metrics since",
		"GET /cart server 10 5.0 1 50ms express " + strings.Repeat("0a", 16),
		"0 (no severity) 1 0.5 9 info 4 2.0 17 error 2 1.0",
		"cart.size sum, delta {item} 2 tier 3",
		"span user.id string 20000 ≥ 10000 1, 2, 3",
		"score ", "indings",
	} {
		if strings.Count(text, want) < 1 {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
}

// A service that sent nothing of a signal is told so, and gets no empty table.
func TestNothing(t *testing.T) {
	var b strings.Builder
	if err := Of(facts.Service{Name: "idle", FirstSeen: at, LastSeen: at}, at).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"It has sent no spans.", "It has sent no log records.", "It has sent no metrics."} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
}

// What a service sends is text: it makes no row, no markup, and nothing that a terminal obeys.
func TestHarmless(t *testing.T) {
	evil := "<script>alert(1)</script>\x1b[2J\nrow\tcell"
	s := shop()
	s.Name, s.Spans.Operations[0].Name, s.Metrics[0].Name, s.Attributes[0].Examples[0] = evil, evil, evil, evil
	i := Of(s, at)
	var text, page strings.Builder
	if err := i.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := i.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for name, out := range map[string]string{"text": text.String(), "page": page.String()} {
		if strings.Contains(out, "\x1b") {
			t.Errorf("the %s has an escape:\n%q", name, out)
		}
	}
	for line := range strings.SplitSeq(text.String(), "\n") {
		if strings.HasPrefix(line, "row") {
			t.Errorf("a name begins a row of its own: %q", line)
		}
	}
	if strings.Contains(page.String(), "<script>") || !strings.Contains(page.String(), "&lt;script&gt;") {
		t.Errorf("the page has markup of a service's:\n%s", page.String())
	}
}
