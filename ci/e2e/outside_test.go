package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cachedir"
)

// outsider is a person who has the lab's program and no checkout: in an empty folder, and
// with an empty home.
type outsider struct {
	*testing.T
	folder, home string
}

func newOutsider(t *testing.T) *outsider {
	t.Helper()
	return &outsider{t, t.TempDir(), t.TempDir()}
}

// try runs a command of the lab in the empty folder.
func (o *outsider) try(args ...string) (stdout, stderr string, code int) {
	o.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = o.folder, &out, &errs
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		switch name {
		case "HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "LAB_DIR", "LocalAppData":
		default:
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+o.home, "XDG_STATE_HOME="+filepath.Join(o.home, "state"), "LocalAppData="+o.home)
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		o.Fatalf("lab %v: %v", args, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must runs a command that must succeed.
func (o *outsider) must(args ...string) (stdout, stderr string) {
	o.Helper()
	stdout, stderr, code := o.try(args...)
	if code != 0 {
		o.Fatalf("lab %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout, stderr
}

// A program without a checkout brings up, verifies and takes down a lab that has no
// services, with the configuration that is built into it.
func TestLabOutsideOfACheckout(t *testing.T) {
	needStack(t)
	cache, err := cachedir.Default()
	if err != nil {
		t.Fatal(err)
	}
	o := newOutsider(t)
	t.Cleanup(func() { o.try("down") })
	stdout, stderr := o.must("up", "--detach", "--free-ports", "--no-services", "--cache", cache)
	for _, want := range []string{"configuration: built into this program", "4 of 4 were there already"} {
		if !strings.Contains(stderr, want) && !strings.Contains(stderr, "stack: path") {
			t.Errorf("up does not say %q:\n%s", want, stderr)
		}
	}
	if !strings.Contains(stdout, "\n  lab verify") || strings.Contains(stdout, "frontend") || !strings.Contains(stdout, "OTLP") {
		t.Errorf("up prints\n%s", stdout)
	}
	if _, err := os.Stat(filepath.Join(o.home, "state", "lgtm-lab", "state.json")); err != nil {
		t.Errorf("the lab's folder is not that of the user's: %v", err)
	}

	// The lab is the same from every folder.
	o.folder = t.TempDir()
	stdout, _ = o.must("status", "-o", "json")
	var status struct {
		Ready      bool        `json:"ready"`
		Components []component `json:"components"`
	}
	if err := json.Unmarshal([]byte(stdout), &status); err != nil {
		t.Fatal(err)
	}
	if !status.Ready {
		t.Errorf("the lab is not ready:\n%s", stdout)
	}
	for _, c := range status.Components {
		if c.Name == "frontend" || c.Name == "backend" {
			t.Errorf("the %s runs", c.Name)
		}
	}

	stdout, stderr, code := o.try("verify")
	if code != 0 || !strings.Contains(stdout, "the lab is up without the two sample services") {
		t.Errorf("verify: exit code %d\n%s%s", code, stdout, stderr)
	}
	if _, stderr, code = o.try("traffic"); code != 1 || !strings.Contains(stderr, "`lab up` without --no-services") {
		t.Errorf("traffic: exit code %d\n%s", code, stderr)
	}
	if _, err := os.ReadDir(o.folder); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(o.folder); len(entries) > 0 {
		t.Errorf("the working directory has got %v", entries)
	}
	if stdout, _ = o.must("down"); !strings.Contains(stdout, "`lab reset` deletes it") {
		t.Errorf("down prints %q", stdout)
	}
}

// What works without a lab and without a checkout, and what says that it needs one.
func TestCommandsOutsideOfACheckout(t *testing.T) {
	if err := sources(); err != nil {
		t.Fatal(err)
	}
	o := newOutsider(t)
	digest := "@sha256:" + strings.Repeat("0", 64)
	images := []string{"--image", "frontend=example.org/frontend:1" + digest, "--image", "backend=example.org/backend:1" + digest, "--image", "lab=example.org/lab:1" + digest}
	if stdout, stderr := o.must(append([]string{"manifests"}, images...)...); !strings.Contains(stdout, "kind: StatefulSet") || !strings.Contains(stderr, "built into this program") {
		t.Errorf("manifests prints\n%s%s", stdout, stderr)
	}
	if stdout, _ := o.must("images", "list"); !strings.Contains(stdout, "grafana/loki") {
		t.Errorf("images list prints\n%s", stdout)
	}
	if stdout, _ := o.must("--version"); !strings.HasPrefix(stdout, "lab ") {
		t.Errorf("--version prints %q", stdout)
	}
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"images", "check"}, []string{"git clone https://github.com/lgtm-lab/lgtm-lab"}},
		{[]string{"images", "build", "--out", "x"}, []string{"git clone https://github.com/lgtm-lab/lgtm-lab"}},
		{[]string{"stack", "build", "--stack", "source"}, []string{"loki 3.", "git clone https://github.com/lgtm-lab/lgtm-lab", "stack build"}},
		{[]string{"status"}, []string{"`lab up`"}},
	} {
		_, stderr, code := o.try(c.args...)
		if code != 1 {
			t.Errorf("lab %v: exit code %d, want 1", c.args, code)
		}
		for _, want := range c.says {
			if !strings.Contains(stderr, want) {
				t.Errorf("lab %v does not say %q:\n%s", c.args, want, stderr)
			}
		}
	}
}
