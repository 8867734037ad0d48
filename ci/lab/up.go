package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

func upCommand(e *env) *cobra.Command {
	var flags upFlags
	var detach, dryRun bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the lab up: processes on this machine, a Kind cluster, or a cluster of your own",
		Long: `up builds the two services, gets the programs of the stack, starts everything and
prints the addresses once every component is ready. It stays in the foreground: Ctrl-C
stops the lab in order. With --detach the lab runs on by itself, until ` + "`lab down`" + `.

Run it again after an edit: it rebuilds and replaces only the parts that have changed.
It also takes over a lab that runs already, or that a crashed run has left behind.

The programs come from where it is quickest (--stack auto): from PATH, from an
earlier run, out of the images that config/images.json pins (on Linux, with a registry
in reach), or compiled from source, which takes about a quarter of an hour on two cores
and happens once. --images FILE takes another lock, such as a mirror's. What is compiled
has only what the lab runs; ` + "`lab stack build --full`" + ` compiles the rest.

With --closed every connection is mutual TLS, by certificates that up makes in the lab's folder:
docs/certificates.md says how applications and browsers get in.

Outside of a checkout, up takes the configuration that is built into lab, and installs
the services as Go packages of lab's own version, which takes a minute or two the first
time and needs the go command. --no-services leaves the services out.

With --target kind the lab runs in a Kubernetes cluster in a container, which stays
when up has ended. That needs a container runtime and its docker command. up builds and
pulls the images on this machine and loads them into the cluster, which pulls nothing
itself. Without a registry, run ` + "`lab images pull --to DIR`" + ` on a machine that has one, and
up --archives DIR here.

With --target kubernetes the lab runs in a cluster that is there, the one of --context,
through your own kubectl and kubeconfig. up looks first, and changes nothing if something
is in the way; --dry-run shows what it would change. The cluster pulls the images: push
the lab's own three with ` + "`lab images build --publish`" + `, and name each once with --image.
docs/kubernetes.md has the settings.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := e.wanted(&flags)
			if err != nil {
				return err
			}
			if previewed, ok := t.(target.Previewed); ok && dryRun {
				return previewed.Diff(cmd.Context(), e.stdout)
			}
			summary, err := t.Up(cmd.Context())
			if err != nil {
				return err
			}
			writeSummary(e.stdout, summary)
			if attended, ok := t.(target.Attended); ok && !detach {
				return attended.Attend(cmd.Context())
			}
			return nil
		},
	}
	e.registerTarget(cmd)
	flags.register(cmd)
	flags.registerPorts(cmd.Flags())
	flags.registerKubernetes(cmd.Flags())
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "kubernetes: show what would change, and change nothing")
	onlyOn(cmd.Flags(), []string{target.Kubernetes}, "dry-run")
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "local: leave the lab running and return")
	onlyOn(cmd.Flags(), []string{target.Local}, "detach")
	return cmd
}

// writeSummary prints where everything is, and what to do next.
func writeSummary(w io.Writer, s target.Summary) {
	fmt.Fprintf(w, "\n%s\n\n", s.Headline)
	for _, p := range s.Places {
		fmt.Fprintf(w, "  %-10s %-23s %s\n", p.Name, p.URL, p.About)
	}
	width := 0
	for _, next := range s.Next {
		width = max(width, len(next.Command))
	}
	fmt.Fprint(w, "\nNext, in another terminal:\n")
	for _, next := range s.Next {
		fmt.Fprintf(w, "  %-*s  %s\n", width, next.Command, next.About)
	}
	fmt.Fprintln(w)
}
