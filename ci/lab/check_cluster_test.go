package main

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
)

// The cases that a Job unpacks are those that were packed, with what they include.
func TestPackedCases(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a/one.yaml":    "name: one\nfixture: remote\nexpected:\n  logs: [{logql: '{a=\"1\"}'}]\n",
		"b/one.yaml":    "oats-schema-version: 2\ninclude: [shared.yaml]\nexpected:\n  logs: [{logql: '{a=\"2\"}'}]\n",
		"b/shared.yaml": "oats-schema-version: 2\noats-template: true\ninput: [{path: /x}]\n",
		"b/secret.env":  "hidden",
	} {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, problems := cases.Load([]string{filepath.Join(dir, "a", "one.yaml"), filepath.Join(dir, "b", "one.yaml")})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	packed, err := packCases(all)
	if err != nil {
		t.Fatal(err)
	}
	into := t.TempDir()
	paths, err := unpackCases(packed, into)
	if err != nil {
		t.Fatal(err)
	}
	again, problems := cases.Load(paths)
	if len(problems) > 0 || len(again) != 2 || again[1].Input[0].Path != "/x" || again[0].Name != all[0].Name || again[1].Expected.Logs[0].Query.Text != all[1].Expected.Logs[0].Query.Text {
		t.Errorf("%+v, %v", again, problems)
	}
	if left, _ := filepath.Glob(filepath.Join(into, "*", "*.env")); len(left) > 0 {
		t.Errorf("packed was %v", left)
	}
	long := rand.Text()
	for len(long) < 200<<10 {
		long += rand.Text()
	}
	if err := os.WriteFile(filepath.Join(dir, "b", "long.yaml"), []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := packCases(all); err == nil || !strings.Contains(err.Error(), "name fewer") {
		t.Errorf("too much: %v", err)
	}
	if _, err := unpackCases("no base64!", into); err == nil {
		t.Error("what is not packed is unpacked")
	}
}
