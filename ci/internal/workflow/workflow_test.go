// Package pipeline holds no code. Its tests say what must hold of the files that run
// the checks: the workflow, .ci/run, the Dagger module, and what they leave out.
package workflow

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const checkout = "../../.."

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(checkout, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

type workflow struct {
	Concurrency struct {
		Group            string `json:"group"`
		CancelInProgress any    `json:"cancel-in-progress"`
	} `json:"concurrency"`
	Env  map[string]string `json:"env"`
	Jobs map[string]struct {
		Strategy struct {
			Matrix struct {
				OS []string `json:"os"`
			} `json:"matrix"`
		} `json:"strategy"`
		Steps []struct {
			Uses string         `json:"uses"`
			Run  string         `json:"run"`
			With map[string]any `json:"with"`
		} `json:"steps"`
	} `json:"jobs"`
}

func readWorkflow(t *testing.T) workflow {
	t.Helper()
	var w workflow
	if err := yaml.Unmarshal([]byte(read(t, ".github/workflows/ci.yaml")), &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// The workflow's Dagger is the one that the module was generated for.
func TestWorkflowHasTheModulesDagger(t *testing.T) {
	var module struct {
		EngineVersion string `json:"engineVersion"`
	}
	if err := json.Unmarshal([]byte(read(t, "dagger.json")), &module); err != nil {
		t.Fatal(err)
	}
	w := readWorkflow(t)
	if got := w.Env["DAGGER_VERSION"]; got == "" || got != module.EngineVersion {
		t.Errorf("DAGGER_VERSION is %q, and engineVersion of dagger.json %q", got, module.EngineVersion)
	}
	calls := 0
	for name, job := range w.Jobs {
		for _, step := range job.Steps {
			if !strings.HasPrefix(step.Uses, "dagger/dagger-for-github@") {
				continue
			}
			calls++
			if got := step.With["version"]; got != "${{ env.DAGGER_VERSION }}" {
				t.Errorf("job %s takes Dagger %v", name, got)
			}
		}
	}
	if calls == 0 {
		t.Error("no job calls Dagger")
	}
}

// A run for a commit of main is never cancelled, neither while it runs nor while it
// waits: its result belongs to that commit.
func TestWorkflowDoesNotCancelMain(t *testing.T) {
	c := readWorkflow(t).Concurrency
	if c.CancelInProgress != "${{ github.ref != 'refs/heads/main' }}" {
		t.Errorf("cancel-in-progress is %v", c.CancelInProgress)
	}
	if !strings.Contains(c.Group, "github.ref == 'refs/heads/main' && github.sha || github.ref") {
		t.Errorf("the commits of main share the group %q, in which a waiting run is cancelled by the next", c.Group)
	}
}

func TestWorkflowTestsOtherSystems(t *testing.T) {
	var systems []string
	for _, job := range readWorkflow(t).Jobs {
		for _, step := range job.Steps {
			if step.Run == "go test -short ./..." {
				systems = append(systems, job.Strategy.Matrix.OS...)
			}
		}
	}
	for _, want := range []string{"macos-", "windows-"} {
		if !slices.ContainsFunc(systems, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("the unit tests run on %v, and on no %s", systems, want)
		}
	}
}

// Every module with code of ours is linted and vetted; a new one must not be forgotten.
func TestEveryModuleIsLinted(t *testing.T) {
	run := read(t, ".ci/run")
	for _, want := range []string{"go test -race -short ./...", "CGO_ENABLED=1"} {
		if !strings.Contains(run, want) {
			t.Errorf(".ci/run has no %q", want)
		}
	}
	linted := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^for module in (.+); do$`).FindAllStringSubmatch(run, -1) {
		for module := range strings.FieldsSeq(m[1]) {
			linted[module] = true
		}
	}
	for _, m := range regexp.MustCompile(`\(cd (\S+) && .*"\$lint" run`).FindAllStringSubmatch(run, -1) {
		linted[m[1]] = true
	}
	modules := 0
	err := filepath.WalkDir(checkout, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") && path != checkout {
			return fs.SkipDir
		}
		if d.Name() != "go.mod" {
			return nil
		}
		dir, err := filepath.Rel(checkout, filepath.Dir(path))
		if err != nil {
			return err
		}
		if code, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.go")); len(code) == 0 && dir != "." {
			return nil // pins alone
		}
		modules++
		if dir == filepath.Join("ci", "stack", "alloy") {
			return nil // .ci/run says why
		}
		if !linted[filepath.ToSlash(dir)] {
			t.Errorf(".ci/run does not lint the module in %s", dir)
		}
		return nil
	})
	if err != nil || modules < 4 {
		t.Errorf("found %d modules, %v", modules, err)
	}
}

// What people write into the checkout and must not publish, git ignores; and what git
// ignores, the Dagger module does not take along.
func TestPrivateFilesStayHere(t *testing.T) {
	var ignored []string
	for line := range strings.Lines(read(t, ".gitignore")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			ignored = append(ignored, line)
		}
	}
	for _, want := range []string{"/.lab/", "/evidence/", "/archives/", "kubeconfig", "*.kubeconfig"} {
		if !slices.Contains(ignored, want) {
			t.Errorf(".gitignore has no %s", want)
		}
	}
	m := regexp.MustCompile(`\+ignore=(\[.*\])`).FindStringSubmatch(read(t, "ci/dagger/main.go"))
	if m == nil {
		t.Fatal("the Dagger module ignores nothing")
	}
	var module []string
	if err := json.Unmarshal([]byte(m[1]), &module); err != nil {
		t.Fatal(err)
	}
	for _, line := range ignored {
		want := strings.Trim(line, "/")
		if !strings.HasPrefix(line, "/") {
			want = "**/" + want
		}
		if !slices.Contains(module, want) {
			t.Errorf("git ignores %s, and the Dagger module does not ignore %s", line, want)
		}
	}
}
