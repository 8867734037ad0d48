package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestStackPrune(t *testing.T) {
	cache := t.TempDir()
	old := filepath.Join(cache, "source", "loki-3.0.0-0123456789abcdef")
	if err := os.MkdirAll(old, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(old, "loki"), make([]byte, 1_500_000), 0o755); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := lab(t, "stack", "prune", "--cache", cache)
	if want := "deleted  1.5 MB  " + old + "\n"; code != 0 || out != want {
		t.Errorf("exit %d, %q, %q; want %q", code, out, stderr, want)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
	if code, out, _ := lab(t, "stack", "prune", "--cache", cache); code != 0 || !strings.HasPrefix(out, "Nothing to delete") {
		t.Errorf("again: exit %d, %q", code, out)
	}
}

// The help names the default of a flag that has one.
func TestHelpHasNoEmptyDefaults(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if usage := cmd.UsageString(); strings.Contains(usage, "(default [])") {
			t.Errorf("%s:\n%s", cmd.CommandPath(), usage)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&env{getenv: func(string) string { return "" }}))
}
