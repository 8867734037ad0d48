package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// kind is the Kind cluster that the command line names, whatever target it names.
func (e *env) kind() kindSite { return kindSite{e, e.chosen.cluster} }

func clusterCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "The Kind cluster by itself: make it, kubectl, kubeconfig, forward",
		Long: `cluster works on the Kind cluster that lab up --target kind makes, with or without a
lab in it. Nothing is written on this machine: kubectl runs inside the cluster's node,
and kubeconfig prints a file for those who want one.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(clusterUpCommand(e), kubectlCommand(e), kubeconfigCommand(e), forwardCommand(e))
	return cmd
}

func clusterUpCommand(e *env) *cobra.Command {
	var flags upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make the cluster, and nothing in it; lab down --target kind deletes it",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := e.kind()
			c, ports, _, err := s.wanted(flags)
			if err != nil {
				return err
			}
			begin := time.Now()
			made, err := s.make(cmd.Context(), c, flags)
			if err != nil {
				return err
			}
			if !made {
				fmt.Fprintf(e.stdout, "The cluster %s is there already.\n", s.name)
				return nil
			}
			fmt.Fprintf(e.stdout, "The cluster %s is made, in %.1f s; its NodePorts %d and %d are at %s and %s.\n", s.name, time.Since(begin).Seconds(),
				target.FrontendNodePort, target.GrafanaNodePort, address(ports.frontend), address(ports.grafana))
			return nil
		},
	}
	flags.registerCluster(cmd.Flags())
	return cmd
}

// make makes the cluster as [kindSite.bring] does, without images.
func (s kindSite) make(ctx context.Context, c *cluster.Cluster, flags upFlags) (bool, error) {
	unlock, err := s.prepare(ctx, c, flags)
	if err != nil {
		return false, err
	}
	defer unlock()
	return c.Ensure(ctx)
}

func kubectlCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kubectl ARGS...",
		Short: "Run kubectl in the cluster's node, as administrator",
		Long: `kubectl runs in the cluster's node, so none is needed on this machine, and what it is
told of files is looked for in the node: give them on standard input, with -f -.`,
		Example: "  lab cluster kubectl get pods -A\n  lab cluster kubectl -n app logs deploy/frontend\n  lab cluster kubectl apply -f - < object.yaml",
		Args:    someArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			s := e.kind()
			var stdin io.Reader
			if slices.Contains(args, "-") || slices.Contains(args, "--filename=-") {
				stdin = cmd.InOrStdin()
			}
			return s.notUp(s.cluster().KubectlTo(cmd.Context(), e.stdout, stdin, args...))
		},
	}
	// What follows kubectl's own verb is kubectl's.
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// someArgs refuses a command line without arguments.
func someArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{fmt.Errorf("%s takes arguments: %s", cmd.CommandPath(), cmd.Use)}
	}
	return nil
}

func kubeconfigCommand(e *env) *cobra.Command {
	var server string
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print a kubeconfig of the cluster's administrator",
		Example: "  go run ./ci/lab cluster kubeconfig > kubeconfig\n" +
			"  kubectl --kubeconfig kubeconfig get nodes",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := e.kind()
			raw, err := s.cluster().Kubeconfig(cmd.Context(), server)
			if err != nil {
				return s.notUp(err)
			}
			_, err = e.stdout.Write(raw)
			return err
		},
	}
	cmd.Flags().StringVar(&server, "server", "", "where the API server is reached: a `URL` (default the port of this machine that the runtime has published)")
	return cmd
}

func forwardCommand(e *env) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "forward NAME[=PORT]...",
		Short: "Forward ports of this machine to a cluster whose container runtime is elsewhere",
		Long: `forward is for a cluster on another machine (DOCKER_HOST is tcp:// or ssh://), which was
made with --listen so that its ports can be reached. It opens the same ports here, or
the given ones, and passes connections on until it is interrupted. Names: frontend,
grafana, api.`,
		Example: "  lab cluster forward frontend grafana=3001",
		Args:    someArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.kind().forward(cmd.Context(), listen, args)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1", "this machine's `ADDRESS` to listen on")
	return cmd
}

// forward forwards until ctx ends.
func (s kindSite) forward(ctx context.Context, listen string, wanted []string) error {
	host, err := cluster.RuntimeHost(s.e.getenv("DOCKER_HOST"))
	if err != nil {
		return err
	}
	routes, err := s.routes(ctx, wanted)
	if err != nil {
		return err
	}
	return s.forwardAll(ctx, listen, host, routes)
}

// forwardAll opens every port here, or none, and forwards until ctx ends.
func (s kindSite) forwardAll(ctx context.Context, listen, host string, routes []route) error {
	open := make([]net.Listener, len(routes))
	for i, r := range routes {
		ln, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(listen, strconv.Itoa(r.here)))
		if err != nil {
			return fmt.Errorf("%w; %s=PORT takes another port", err, r.name)
		}
		defer ln.Close()
		open[i] = ln
	}
	all, ctx := errgroup.WithContext(ctx)
	for i, r := range routes {
		target := net.JoinHostPort(host, strconv.Itoa(r.there))
		s.say(fmt.Sprintf("%s: %s → %s", r.name, open[i].Addr(), target))
		all.Go(func() error { return cluster.Forward(ctx, open[i], target, s.say) })
	}
	return all.Wait()
}

// route is a port here that leads to one of the runtime's host.
type route struct {
	name        string
	here, there int
}

// routes reads NAME or NAME=PORT, and finds out where that leads.
func (s kindSite) routes(ctx context.Context, wanted []string) ([]route, error) {
	inside := map[string]int{target.Frontend: target.FrontendNodePort, target.Grafana: target.GrafanaNodePort, apiPort: cluster.APIPort}
	c := s.cluster()
	var all []route
	for _, given := range wanted {
		name, number, chosen := strings.Cut(given, "=")
		port, ok := inside[name]
		if !ok {
			return nil, usageError{fmt.Errorf("%q: want frontend, grafana or api", name)}
		}
		r := route{name: name}
		if chosen {
			if r.here, ok = portNumber(number); !ok {
				return nil, usageError{fmt.Errorf("%q: want NAME or NAME=PORT, such as grafana=3001", given)}
			}
		}
		var err error
		if r.there, err = c.HostPort(ctx, port); err != nil {
			return nil, s.notUp(err)
		}
		if r.there == 0 {
			return nil, fmt.Errorf("the cluster %s publishes no fixed port for %s; make it with --port %s=PORT", s.name, name, name)
		}
		if r.here == 0 {
			r.here = r.there
		}
		all = append(all, r)
	}
	return all, nil
}
