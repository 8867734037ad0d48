package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The conditions under which a flag means something, as annotations of the flag. A
// flag that is given where it means nothing is a misunderstanding: the command says
// so before it does anything.
const (
	onTargets = "lab_targets" // on one of these targets only
	withFlag  = "lab_with"    // together with this flag only
)

// onlyOn says that the flags of those names mean something on the targets alone.
func onlyOn(flags *pflag.FlagSet, targets []string, names ...string) {
	for _, name := range names {
		annotate(flags, name, onTargets, targets)
	}
}

// onlyWith says that the flags of those names mean something beside the other flag alone.
func onlyWith(flags *pflag.FlagSet, other string, names ...string) {
	for _, name := range names {
		annotate(flags, name, withFlag, []string{other})
	}
}

func annotate(flags *pflag.FlagSet, name, key string, values []string) {
	if err := flags.SetAnnotation(name, key, values); err != nil {
		panic(err) // no such flag: a mistake in this program
	}
}

// checkFlags refuses flags of the command line that mean nothing where they stand.
func (e *env) checkFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if targets := f.Annotations[onTargets]; err == nil && targets != nil && !slices.Contains(targets, e.target.name) {
			err = usageError{fmt.Errorf("--%s is for --target %s, not for %s", f.Name, strings.Join(targets, " or "), e.target.name)}
		}
		if other := f.Annotations[withFlag]; err == nil && other != nil && !cmd.Flags().Changed(other[0]) {
			err = usageError{fmt.Errorf("--%s means nothing without --%s", f.Name, other[0])}
		}
	})
	return err
}

// given lists the flags of those names that are on the command line, as they can
// be given to another `lab`.
func given(cmd *cobra.Command, names ...string) []string {
	var args []string
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
			args = append(args, "--"+name+"="+f.Value.String())
		}
	}
	return args
}
