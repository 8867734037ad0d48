package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
)

// newRoot returns the root of the tree of commands.
func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "lab",
		Short: "One observability lab: bring it up, send traffic, prove that telemetry flows",
		Long: `lab runs the observability lab: two instrumented services, Grafana Alloy as the
collector, and behind it Loki, Tempo and Mimir, and Grafana if it is there. The lab
runs on this machine as plain processes, with --target kind in a cluster in a container,
or with --target kubernetes in a cluster of your own; lab manifests prints it for GitOps.

    lab up            bring it up; Ctrl-C stops it
    lab run -- CMD    start an application of yours that sends its telemetry there
    lab check FILE…   run acceptance cases of its telemetry
    lab traffic       send it requests
    lab verify        prove that every request became a trace, log lines and metrics
    lab chaos         do harm to it, and prove what it withstands
    lab snapshot      draw the dashboards into one HTML page
    lab down          stop a lab that runs in the background

In a checkout of the lab's sources lab uses the checkout's configuration, dashboards and
rules. Anywhere else it uses those that are built into it. Only three things need the
sources: compiling the stack's programs, building images, and images check. The two
sample services come from the sources, or as Go packages of lab's own version; with
--no-services the lab is up without them.

Exit codes: 0 when all is well, 1 when something failed or a check did not hold, 2 when
the command line was wrong. ` + "`go run`" + ` turns every code but 0 into 1.`,
		Version:      command.Version(),
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return e.checkFlags(cmd) },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.SetHelpCommand(helpCommand(root))
	root.SetVersionTemplate("lab {{.Version}}\n")
	root.AddCommand(
		upCommand(e), downCommand(e), statusCommand(e), logsCommand(e), resetCommand(e), backupCommand(e), restoreCommand(e), migrateDatabaseCommand(e),
		runCommand(e), checkCommand(e), trafficCommand(e), verifyCommand(e), benchCommand(e), chaosCommand(e), endpointsCommand(e), traceCommand(e), servicesCommand(e), inspectCommand(e), scoreCommand(e), snapshotCommand(e),
		inspectorCommand(e), stackCommand(e), imagesCommand(e), manifestsCommand(e), clusterCommand(e), checkQueueCommand(e), checkFilesCommand(e), probePoliciesCommand(e), certificatesCommand(e),
	)
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "completion" {
			group(cmd)
		}
	}
	return root
}

// group makes a command that only holds subcommands. Without one it prints its help; a
// word that is no subcommand is a usage error.
func group(cmd *cobra.Command, below ...*cobra.Command) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return usageError{fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), suggestions(cmd, args[0]))}
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(below...)
	return cmd
}

// suggestions returns the end of a message: the commands that a mistyped word may mean.
func suggestions(cmd *cobra.Command, word string) string {
	if like := cmd.SuggestionsFor(word); len(like) > 0 {
		return "; did you mean " + strings.Join(like, " or ") + "?"
	}
	return ""
}

// helpCommand is cobra's own help command, except that an unknown topic is a usage error.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usageError{fmt.Errorf("unknown command %q for %q%s", strings.Join(args, " "), "lab help", suggestions(root, args[0]))}
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

// noArgs returns a usage error when there are arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, but got %q", cmd.CommandPath(), args)}
	}
	return nil
}

// someArgs returns a usage error when there are no arguments.
func someArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{fmt.Errorf("%s takes arguments: %s", cmd.CommandPath(), cmd.Use)}
	}
	return nil
}

// atMostOne returns a usage error when there is more than one argument.
func atMostOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageError{fmt.Errorf("%s takes one %s, but got %q", cmd.Name(), what, args)}
		}
		return nil
	}
}
