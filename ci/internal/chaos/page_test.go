package chaos

import (
	"os"
	"testing"
)

// docs/promises.md is what the promises and the scenarios say.
func TestPageIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../../../docs/promises.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != Page() {
		t.Error("docs/promises.md is not what the promises say: go generate ./ci/internal/chaos")
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
	for words, want := range map[string]int{"kill-tempo": 1, "freeze-*": 14, "*-tempo": 4, "*": len(All())} {
		if got, err := Choose([]string{words}); err != nil || len(got) != want {
			t.Errorf("Choose(%q) = %d scenarios, %v; want %d", words, len(got), err, want)
		}
	}
	if _, err := Choose([]string{"kill-temp"}); err == nil {
		t.Error("a misspelled scenario is no error")
	}
}
