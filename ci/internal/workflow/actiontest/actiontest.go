// Package actiontest runs the steps of the GitHub Action, action.yml, as scripts on this
// machine, as GitHub's runner does: with GITHUB_OUTPUT, GITHUB_ENV and GITHUB_PATH, which
// hand values on to later steps, and with GITHUB_STEP_SUMMARY. Steps that use other
// actions are left out.
package actiontest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// Action is action.yml.
type Action struct {
	Name, Description string
	Branding          struct{ Icon, Color string }
	// Inputs are the inputs by name.
	Inputs map[string]struct {
		Description string
		Default     *string
	}
	// Outputs are the outputs by name.
	Outputs map[string]struct{ Description, Value string }
	Runs    struct {
		Using string
		Steps []Step
	}
}

// Step is a step of the action. It has Run, or Uses.
type Step struct {
	ID, Name, If, Shell, Run, Uses string
	WorkingDirectory               string `json:"working-directory"`
	Env, With                      map[string]string
}

// Read reads the action.yml of the checkout.
func Read(t testing.TB, checkout string) Action {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(checkout, "action.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var a Action
	if err := yaml.UnmarshalStrict(raw, &a, yaml.DisallowUnknownFields); err != nil {
		t.Fatalf("action.yml: %v", err)
	}
	return a
}

// Job is a job that uses the action.
type Job struct {
	// Checkout is the folder of the action.
	Checkout string
	// Workspace is the user's repository.
	Workspace string
	// Inputs are the values of with.
	Inputs map[string]string
	// Env is the environment on top of this process's, as NAME=value.
	Env []string
	// Path are folders in front of PATH.
	Path []string
}

// Result is what a job leaves.
type Result struct {
	// Steps are the steps that ran.
	Steps []Ran
	// Outputs are the action's.
	Outputs map[string]string
	// Env is what the steps have added to the environment of later ones.
	Env map[string]string
	// Summary is the Markdown of the step summary.
	Summary string
	// Failed says that a step has failed.
	Failed bool
}

// Ran is a step that ran.
type Ran struct {
	Name string
	Code int
	// Output is its standard output and its standard error.
	Output string
}

// Step returns the step with that name, or nil when it did not run.
func (r Result) Step(name string) *Ran {
	for i := range r.Steps {
		if r.Steps[i].Name == name {
			return &r.Steps[i]
		}
	}
	return nil
}

// Log is the output of all steps.
func (r Result) Log() string {
	var b strings.Builder
	for _, s := range r.Steps {
		fmt.Fprintf(&b, "== %s: exit code %d\n%s", s.Name, s.Code, s.Output)
	}
	return b.String()
}

// runner is one run.
type runner struct {
	*testing.T
	job     Job
	temp    string
	values  map[string]string // of expressions
	env     map[string]string
	path    []string
	summary string
}

// Run runs the action's steps. It fails the test for what GitHub would refuse, and for
// expressions that it does not know.
func Run(t *testing.T, job Job) Result {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash")
	}
	a := Read(t, job.Checkout)
	r := &runner{T: t, job: job, temp: t.TempDir(), values: map[string]string{}, env: map[string]string{}, path: job.Path}
	r.summary = filepath.Join(r.temp, "summary")
	for name, input := range a.Inputs {
		if input.Default != nil {
			r.values["inputs."+name] = *input.Default
		}
	}
	for name, value := range job.Inputs {
		if _, ok := a.Inputs[name]; !ok {
			t.Fatalf("the action has no input %q", name)
		}
		r.values["inputs."+name] = value
	}
	var result Result
	for _, step := range a.Runs.Steps {
		if step.Uses != "" || result.Failed && step.If != "always()" {
			continue
		}
		ran := r.step(step)
		result.Failed = result.Failed || ran.Code != 0
		result.Steps = append(result.Steps, ran)
	}
	result.Env, result.Outputs = r.env, map[string]string{}
	for name, output := range a.Outputs {
		result.Outputs[name] = r.fill(output.Value)
	}
	raw, err := os.ReadFile(r.summary)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	result.Summary = string(raw)
	return result
}

// step runs one step.
func (r *runner) step(step Step) Ran {
	r.Helper()
	if step.Shell != "bash" {
		r.Fatalf("step %q: the shell is %q", step.Name, step.Shell)
	}
	if step.If != "" && step.If != "always()" {
		r.Fatalf("step %q: the condition %q is one that this test does not know", step.Name, step.If)
	}
	if strings.Contains(step.Run, "${{") {
		r.Fatalf("step %q: an expression within a script lets the value be a part of the script; pass it by env", step.Name)
	}
	files := map[string]string{}
	for _, name := range []string{"GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH"} {
		files[name] = r.newFile(name, "")
	}
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", r.newFile("script", step.Run))
	cmd.Dir = filepath.Join(r.job.Workspace, r.fill(step.WorkingDirectory))
	cmd.Env = append(os.Environ(), r.job.Env...)
	cmd.Env = append(cmd.Env, "RUNNER_TEMP="+r.temp, "GITHUB_ACTION_PATH="+r.absolute(r.job.Checkout), "GITHUB_STEP_SUMMARY="+r.summary,
		"GITHUB_REPOSITORY=example/shop", "GITHUB_WORKSPACE="+r.job.Workspace)
	for name, value := range r.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	for name, file := range files {
		cmd.Env = append(cmd.Env, name+"="+file)
	}
	for name, value := range step.Env {
		cmd.Env = append(cmd.Env, name+"="+r.fill(value))
	}
	cmd.Env = append(cmd.Env, "PATH="+strings.Join(append(r.path, os.Getenv("PATH")), string(os.PathListSeparator)))
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		r.Fatalf("step %q: %v", step.Name, err)
	}
	for name, value := range r.assignments(files["GITHUB_OUTPUT"]) {
		r.values["steps."+step.ID+".outputs."+name] = value
	}
	maps.Copy(r.env, r.assignments(files["GITHUB_ENV"]))
	for line := range strings.Lines(r.read(files["GITHUB_PATH"])) {
		r.path = append([]string{strings.TrimSpace(line)}, r.path...)
	}
	return Ran{step.Name, cmd.ProcessState.ExitCode(), string(out)}
}

func (r *runner) newFile(name, content string) string {
	r.Helper()
	f, err := os.CreateTemp(r.temp, name+"-*")
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(content); err != nil {
		r.Fatal(err)
	}
	return f.Name()
}

func (r *runner) read(file string) string {
	r.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		r.Fatal(err)
	}
	return string(raw)
}

// assignments reads the lines NAME=value.
func (r *runner) assignments(file string) map[string]string {
	r.Helper()
	all := map[string]string{}
	for line := range strings.Lines(r.read(file)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok {
			r.Fatalf("%q is no assignment", line)
		}
		all[name] = value
	}
	return all
}

var expression = regexp.MustCompile(`\$\{\{\s*([^}]*?)\s*\}\}`)

// fill replaces the expressions in a text. The output of a step that did not run is empty,
// as it is for GitHub.
func (r *runner) fill(text string) string {
	r.Helper()
	return expression.ReplaceAllStringFunc(text, func(match string) string {
		name := expression.FindStringSubmatch(match)[1]
		value, ok := r.values[name]
		if !ok && !strings.HasPrefix(name, "steps.") {
			r.Fatalf("the expression %q is one that this test does not know", match)
		}
		return value
	})
}

func (r *runner) absolute(path string) string {
	r.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		r.Fatal(err)
	}
	return abs
}
