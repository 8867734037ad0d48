package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The conditions under which a flag means something, as annotations of the flag. A user who
// gives a flag where it means nothing expects something else to happen: the command says
// so before it does any work.
const (
	onTargets = "lab_targets" // only on one of these targets
	withFlag  = "lab_with"    // only together with this flag
)

// onlyOn marks the named flags as flags that mean something only on the targets.
func onlyOn(flags *pflag.FlagSet, targets []string, names ...string) {
	for _, name := range names {
		annotate(flags, name, onTargets, targets)
	}
}

// onlyWith marks the named flags as flags that mean something only beside the other flag.
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

// checkFlags refuses flags of the command line that mean nothing for this command.
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

// given returns the named flags that are on the command line, as arguments for another
// `lab`.
func given(cmd *cobra.Command, names ...string) []string {
	var args []string
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed {
			args = append(args, "--"+name+"="+f.Value.String())
		}
	}
	return args
}
