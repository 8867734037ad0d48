package chaos

import (
	"os"
	"strings"
	"testing"
)

// docs/promises.md is what the promises and the scenarios say.
func TestPageIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../../../docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	figures, err := Figures()
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != Page(figures) {
		t.Error("docs/promises.md is not what the promises say: go generate ./ci/internal/chaos")
	}
}

// A result replaces the figures of the scenarios that ran to their end, and no others.
func TestMerge(t *testing.T) {
	old := []Figure{{Scenario: "kill-tempo", On: "2026-01-01"}, {Scenario: "kill-loki", On: "2026-01-01"}, {Scenario: "there is none"}}
	got := Merge(old, Result{Scenarios: []Outcome{
		{Name: "kill-tempo", Started: at(0), Balances: Balances{Traces: Balance{Due: 9, Lost: 2}}, Verdicts: []Verdict{{Promise: Traces, Outcome: Broken}},
			Alerts: []FiredAlert{{Name: "TempoDown"}, {Name: "BackendDown"}, {Name: "TempoDown"}}},
		{Name: "kill-loki", Error: "interrupted"},
		{Name: "kill-mimir", Skipped: "no Mimir"},
	}})
	if len(got) != 2 || got[0].Scenario != "kill-loki" || got[0].On != "2026-01-01" || got[1].On != "2026-01-02" {
		t.Fatalf("%+v", got)
	}
	page := Page(got)
	if row := "all 0 | -2 of 9 | all 0 | all 0 | all 0 | trace by id never | BackendDown, TempoDown | broken: P2 |"; !strings.Contains(page, row) || !strings.Contains(page, "Not measured yet: `kill-frontend`") {
		t.Errorf("the page lacks %s:\n%s", row, page)
	}
}

// Each scenario has a name of its own and tests promises that there are.
func TestScenarios(t *testing.T) {
	promises := map[string]bool{}
	for _, p := range Promises() {
		if promises[p.ID] || p.Title == "" || p.Text == "" {
			t.Errorf("promise %+v: its id is another's, or a text is missing", p)
		}
		promises[p.ID] = true
	}
	names := map[string]bool{}
	for _, s := range All() {
		if names[s.Name] || s.About == "" || s.Inject == nil || len(s.Promises) == 0 {
			t.Errorf("scenario %s: its name is another's, or something is missing", s.Name)
		}
		names[s.Name] = true
		for _, id := range s.Promises {
			if !promises[id] {
				t.Errorf("scenario %s tests the promise %s, which there is not", s.Name, id)
			}
		}
	}
	for id := range promises {
		if len(testers(id)) == 0 {
			t.Errorf("no scenario tests %s", id)
		}
	}
	for words, want := range map[string]int{"kill-tempo": 1, "freeze-*": 14, "kill-*-alloy": 4, "*": len(All())} {
		if got, err := Choose([]string{words}); err != nil || len(got) != want {
			t.Errorf("Choose(%q) = %d scenarios, %v; want %d", words, len(got), err, want)
		}
	}
	if _, err := Choose([]string{"kill-temp"}); err == nil {
		t.Error("a misspelled scenario is no error")
	}
}
