package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// tree returns every command of the program.
func tree(t *testing.T) []*cobra.Command {
	t.Helper()
	root := newRoot(&env{getenv: func(string) string { return "" }})
	var all []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		all = append(all, cmd)
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(root)
	if len(all) < 25 {
		t.Fatalf("found only %d commands", len(all))
	}
	return all
}

// words are the words of the command's name, without the program's.
func words(cmd *cobra.Command) []string { return strings.Fields(cmd.CommandPath())[1:] }

// refused checks that the program refuses the command line as wrong, with a message that
// has names in it.
func refused(t *testing.T, names string, line ...string) {
	t.Helper()
	code, stdout, stderr := lab(t, line...)
	if code != 2 || !strings.Contains(stderr, names) || stdout != "" {
		t.Errorf("lab %s: exit code %d, it prints %.80q and says %q; want 2 and %q", strings.Join(line, " "), code, stdout, stderr, names)
	}
}

// A mistyped command is a wrong command line, wherever it stands.
func TestMistypedCommands(t *testing.T) {
	groups := 0
	for _, cmd := range tree(t) {
		refused(t, "--chekc", append(words(cmd), "--chekc")...)
		if cmd.HasAvailableSubCommands() {
			groups++
			refused(t, "chekc", append(words(cmd), "chekc")...)
			refused(t, "chekc", append(append([]string{"help"}, words(cmd)...), "chekc")...)
		}
	}
	if groups < 4 {
		t.Errorf("found only %d groups of commands", groups)
	}
	refused(t, `did you mean check?`, "images", "chekc")
	if code, stdout, _ := lab(t, "images"); code != 0 || !strings.Contains(stdout, "reproduce") {
		t.Errorf("a group alone: exit code %d, %q; want its help", code, stdout)
	}
	if code, stdout, _ := lab(t, "help", "images", "check"); code != 0 || !strings.Contains(stdout, "Usage:") {
		t.Errorf("help of a command: exit code %d, %q", code, stdout)
	}
}

// A command refuses a flag that means nothing there, before it does any work.
func TestMeaninglessFlags(t *testing.T) {
	conditions := 0
	for _, cmd := range tree(t) {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if targets := f.Annotations[onTargets]; len(targets) > 0 && cmd.Flags().Lookup("target") != nil {
				conditions++
				for _, other := range []string{target.Local, target.Kind, target.Kubernetes, target.InCluster} {
					if !slices.Contains(targets, other) {
						refused(t, "--"+f.Name+" is for --target", append(words(cmd), arguments(cmd, "--target="+other, "--"+f.Name+"="+value(f))...)...)
					}
				}
			}
			if other := f.Annotations[withFlag]; len(other) > 0 {
				conditions++
				line := append(words(cmd), arguments(cmd, "--"+f.Name+"="+value(f))...)
				if targets := f.Annotations[onTargets]; len(targets) > 0 {
					line = append(line, "--target="+targets[0])
				}
				refused(t, "--"+f.Name+" means nothing without --"+other[0], line...)
			}
		})
	}
	if conditions < 40 {
		t.Errorf("found only %d conditions", conditions)
	}
}

// arguments adds to the flags the arguments that the command needs.
func arguments(cmd *cobra.Command, flags ...string) []string {
	switch cmd.Name() {
	case "logs":
		return append(flags, "loki")
	case "run":
		return append(flags, "--", "true")
	case "backup", "restore":
		return append(flags, "users.backup")
	case "score", "inspect":
		return append(flags, "shop")
	case "trace":
		return append(flags, strings.Repeat("1", 32))
	}
	return flags
}

// value returns a value that the flag takes.
func value(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true"
	case "int", "uint64", "float64":
		return "1"
	case "duration":
		return "48h"
	case "string", "stringArray":
		return "x"
	case "stringToString":
		return "lab=x"
	}
	return f.DefValue
}

// Only commands that work on a target have the flags that choose one.
func TestTargetFlagsWhereTheyMeanSomething(t *testing.T) {
	for _, line := range []string{"images list", "images check", "stack build", "manifests", "cluster up", "cluster kubectl"} {
		refused(t, "unknown flag: --target", append(strings.Fields(line), "--target=kind")...)
	}
	refused(t, "unknown flag: --dir", "images", "list", "--dir=x")
}
