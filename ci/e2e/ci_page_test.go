package e2e

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// A repository is a user's, in which a job of docs/ci.md runs.
type repository struct {
	*testing.T
	dir, path string
}

// newRepository makes a repository with tests that send one span, and a case. Its PATH has
// lab, and a go that installs nothing, because no version of the lab can be fetched that has
// the changes that are tested.
func newRepository(t *testing.T, tests string) *repository {
	t.Helper()
	needStack(t)
	if runtime.GOOS == "windows" {
		t.Skip("the page's scripts are for bash")
	}
	for _, name := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no %s: apt-get install %[1]s", name)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := t.TempDir(), t.TempDir()
	for file, content := range map[string]string{
		filepath.Join(dir, "run-my-tests"):           "#!/usr/bin/env bash\nset -euo pipefail\n" + tests,
		filepath.Join(dir, "telemetry", "sent.yaml"): sentCase,
		filepath.Join(bin, "go"): `#!/bin/sh
case "$*" in
"install github.com/lgtm-lab/lgtm-lab/ci/lab@latest") ;;
"env GOPATH") echo /nowhere ;;
*) exit 2 ;;
esac
`,
		// The programs of the stack are in this user's cache, and other labs have the usual ports.
		filepath.Join(bin, "lab"): fmt.Sprintf("#!/bin/sh\nexport XDG_CACHE_HOME='%s'\n[ \"$1\" != up ] || set -- \"$@\" --free-ports\nexec '%s' \"$@\"\n", cache, program),
	} {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return &repository{t, dir, bin + string(os.PathListSeparator) + os.Getenv("PATH")}
}

// run runs a script, and returns its output and its exit code.
func (r *repository) run(script string, variables map[string]string) (output string, code int) {
	r.Helper()
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "PATH="+r.path, "OTEL_SERVICE_NAME=", "OTEL_RESOURCE_ATTRIBUTES=", "OTEL_EXPORTER_OTLP_ENDPOINT=")
	for name, value := range variables {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		r.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// exists fails the test unless each file is there.
func (r *repository) exists(log string, files ...string) {
	r.Helper()
	for _, file := range files {
		if found, err := filepath.Glob(filepath.Join(r.dir, file)); err != nil || len(found) == 0 {
			r.Errorf("the job leaves no %s:\n%s", file, log)
		}
	}
}

// codeBelow returns the first indented block below a heading of docs/ci.md.
func codeBelow(t *testing.T, heading string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "docs", "ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(raw), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/ci.md has no section %s", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var lines []string
	for line := range strings.Lines(section) {
		code, indented := strings.CutPrefix(line, "    ")
		if !indented && len(lines) > 0 && strings.TrimSpace(line) != "" {
			break
		}
		if indented || len(lines) > 0 {
			lines = append(lines, code)
		}
	}
	return strings.Join(lines, "")
}

// The job for GitLab: its script passes, what it keeps is there, and the lab goes down.
func TestJobForGitLab(t *testing.T) {
	t.Parallel()
	r := newRepository(t, sendsASpan)
	var file map[string]struct {
		Image string
		Cache struct {
			Key   string
			Paths []string
		}
		Variables   map[string]string
		Script      []string
		AfterScript []string `json:"after_script"`
		Artifacts   struct {
			When    string
			Paths   []string
			Reports map[string]string
		}
	}
	if err := yaml.UnmarshalStrict([]byte(codeBelow(t, "GitLab")), &file, yaml.DisallowUnknownFields); err != nil {
		t.Fatal(err)
	}
	job := file["telemetry"]
	variables := map[string]string{"CI_PROJECT_DIR": r.dir}
	for name, value := range job.Variables {
		variables[name] = strings.ReplaceAll(value, "$CI_PROJECT_DIR", r.dir)
	}
	if cache := filepath.Join(variables["XDG_CACHE_HOME"], "lgtm-lab"); !slices.Contains(job.Cache.Paths, strings.TrimPrefix(cache, r.dir+"/")) {
		t.Errorf("the job keeps %v, and the lab's programs are in %s", job.Cache.Paths, cache)
	}
	variables["LAB_DIR"] = filepath.Join(t.TempDir(), "lab")
	t.Cleanup(func() {
		if t.Failed() { // perhaps before the job's own `lab down`
			r.run("lab down", variables)
		}
	})
	log, code := r.run(strings.Join(job.Script, "\n"), variables)
	after, afterCode := r.run(strings.Join(job.AfterScript, "\n"), variables)
	log += after
	if code != 0 || afterCode != 0 {
		t.Errorf("exit codes %d and %d:\n%s", code, afterCode, log)
	}
	if !strings.Contains(log, "2 passed, 0 failed") || !strings.Contains(after, "Stopped: ") {
		t.Errorf("the job printed\n%s", log)
	}
	r.exists(log, append(slices.Collect(maps.Values(job.Artifacts.Reports)), job.Artifacts.Paths...)...)
	r.exists(log, "logs/alloy.log")
}

// The script for any other system. When the tests fail, it fails as they do, and the lab goes
// down all the same.
func TestScriptForAnyCI(t *testing.T) {
	t.Parallel()
	script := codeBelow(t, "Any other")
	r := newRepository(t, sendsASpan)
	log, code := r.run(script, nil)
	if code != 0 || !strings.Contains(log, "2 passed, 0 failed") || !strings.Contains(log, "Stopped: ") {
		t.Errorf("exit code %d:\n%s", code, log)
	}
	r.exists(log, "check.xml", "check.md", ".lab")
	r = newRepository(t, "exit 3\n")
	if log, code = r.run(script, nil); code != 3 || !strings.Contains(log, "Stopped: ") {
		t.Errorf("tests that fail: exit code %d, want 3:\n%s", code, log)
	}
}
