package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
)

// upFlags are the flags of the commands that bring a lab up.
type upFlags struct {
	noFaults  bool
	ports     []string
	retention retentionFlags
	images    string // another lock than config/images.json

	// For the local target.
	stack     stack.Mode
	cache     string
	freePorts bool
	detach    bool

	// For Kind.
	workers       int
	nodeImage     string
	archives      string
	listen        string
	timeout       time.Duration
	noPreflight   bool
	metricsServer bool
	recreate      bool
	anyPorts      bool // those that the runtime picks; no flag
}

// onlyOn says on which targets a flag means something, for those that do not
// everywhere.
var onlyOn = map[string][]string{
	"stack": {onLocal}, "cache": {onLocal}, "free-ports": {onLocal}, "detach": {onLocal},
	"images":  {onLocal, onKind},
	"workers": {onKind}, "node-image": {onKind}, "archives": {onKind}, "listen": {onKind}, "timeout": {onKind},
	"no-preflight": {onKind}, "metrics-server": {onKind}, "recreate": {onKind},
}

func (f *upFlags) register(cmd *cobra.Command) {
	f.stack = stack.Auto
	flags := cmd.Flags()
	flags.StringArrayVar(&f.ports, "port", nil, "use another port, `NAME=NUMBER`; may be repeated. Names: frontend, grafana, on Kind also api (the Kubernetes API server), and on the local target backend, loki, loki_grpc, tempo, tempo_grpc, tempo_otlp, mimir, mimir_grpc, alloy, otlp_grpc, otlp_http")
	flags.BoolVar(&f.noFaults, "no-faults", false, "the lab does not let requests ask for slow or failing queries")
	f.retention.register(flags, retention.Least)

	flags.Var(&f.stack, "stack", "local: where Loki, Tempo, Mimir and Alloy come from: auto, path, images or source")
	flags.StringVar(&f.cache, "cache", "", "local: where fetched and compiled programs are kept (default lgtm-lab in the user's cache directory)")
	flags.BoolVar(&f.freePorts, "free-ports", false, "local: use ports that are free now instead of the usual ones")

	f.registerNodes(flags)
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "kind: how long to wait until everything is ready")
	flags.BoolVar(&f.metricsServer, "metrics-server", false, "kind: run metrics-server too, for kubectl top")
}

// registerCluster adds the flags of a cluster without a lab in it.
func (f *upFlags) registerCluster(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.ports, "port", nil, "publish on another port of the host, `NAME=NUMBER`; may be repeated. Names: frontend, grafana, api (the Kubernetes API server)")
	f.registerNodes(flags)
}

// registerNodes adds what a cluster is made of.
func (f *upFlags) registerNodes(flags *pflag.FlagSet) {
	flags.IntVar(&f.workers, "workers", 0, "kind: nodes besides the control plane")
	flags.StringVar(&f.nodeImage, "node-image", "", "kind: the nodes' `IMAGE` (default \"node\" of the image lock)")
	registerImages(flags, &f.images)
	flags.StringVar(&f.archives, "archives", "", "kind: a `DIRECTORY` with images as files, as `lab images pull --to` and pack leave them. Images that are in it are taken from there, the others are built and pulled as usual")
	flags.StringVar(&f.listen, "listen", "", "kind: the host's `ADDRESS` to publish ports on (default 127.0.0.1)")
	flags.BoolVar(&f.noPreflight, "no-preflight", false, "kind: try, whatever seems to be missing")
	flags.BoolVar(&f.recreate, "recreate", false, "kind: make a cluster anew, without its data, that was made with other settings or does not come to life")
}

// registerImages adds the flag that swaps the image lock.
func registerImages(flags *pflag.FlagSet, file *string) {
	flags.StringVar(file, "images", "", "another image lock than config/images.json, such as a mirror's: a `FILE`")
}

func upCommand(e *env) *cobra.Command {
	var flags upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the lab up: processes on this machine, or a Kind cluster",
		Long: `up builds the two services, gets the programs of the stack, starts everything and
returns to you once every component is ready. It stays in the foreground: Ctrl-C
stops the lab in order. With --detach the lab runs on by itself, until ` + "`lab down`" + `.

Run it again after an edit: only what has changed is rebuilt and replaced. A lab
that runs already is found, and so is one that a crashed run has left behind.

The programs come from where it is quickest (--stack auto): from PATH, from an
earlier run, out of the images that config/images.json pins (Linux, a registry
reachable), or compiled from source, which takes about half an hour on two cores
and happens once. --images FILE takes another lock, such as that of a mirror.

With --target kind the lab runs in a Kubernetes cluster in a container, which stays
when up has ended. That needs a container runtime and its docker command. Images are
built and pulled here and loaded into the cluster, which pulls nothing itself.
Where there is no registry, ` + "`lab images pull --to DIR`" + ` on a machine that has one, and
--archives DIR here.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.chosen.check(cmd, onlyOn); err != nil {
				return err
			}
			s, err := e.site()
			if err != nil {
				return err
			}
			return s.up(cmd.Context(), flags)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVarP(&flags.detach, "detach", "d", false, "local: leave the lab running and return")
	return cmd
}
