package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// upFlags are the flags of the commands that bring a lab up.
type upFlags struct {
	noFaults  bool
	ports     []string
	retention retentionFlags
	sample    samplingFlags
	images    string // the file of another lock than config/images.json
	inspect   bool
	forward   string // another OTLP endpoint, and the file of its headers
	headers   string

	// For the local target.
	noServices bool
	stack      stack.Mode
	cache      string
	freePorts  bool
	closed     bool
	closedFlag *pflag.Flag // of closed: whether it is on the command line
	origins    []string

	// For Kind.
	workers       int
	nodeImage     string
	archives      string
	listen        string
	timeout       time.Duration
	noPreflight   bool
	metricsServer bool
	recreate      bool

	// For a cluster of the user's own.
	size     string
	settings string            // a file
	given    map[string]string // references of images
}

// register adds the flags of every command that brings a lab up, and returns their
// names.
func (f *upFlags) register(cmd *cobra.Command) (names []string) {
	f.stack = stack.Auto
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.BoolVar(&f.noFaults, "no-faults", false, "the lab does not let requests ask for slow or failing queries")
	f.retention.register(flags, retention.Least)
	f.sample.register(flags)
	flags.BoolVar(&f.noServices, "no-services", false, "local: leave the two sample services out; the lab is then for your own applications")
	flags.BoolVar(&f.inspect, "inspect", false, "keep the facts of what every service sends, for lab inspect and lab score; Alloy then makes a copy of all telemetry")
	flags.Var(&f.stack, "stack", "local: where Loki, Tempo, Mimir and Alloy come from: auto, path, images or source")
	flags.StringVar(&f.cache, "cache", "", "local: the folder that keeps fetched and compiled programs (default lgtm-lab in the user's cache directory)")
	flags.StringVar(&f.forward, "forward", "", "send a copy of all telemetry, as it came in, to another OTLP endpoint, too: an http or https `URL`, which takes http/protobuf")
	flags.StringVar(&f.headers, "forward-headers", "", "a `FILE` with the headers that the endpoint of --forward wants, a line for each, such as Authorization: Bearer …")
	flags.StringSliceVar(&f.origins, "allow-origin", nil, "local: which pages may send telemetry from a browser, instead of those on localhost: an `ORIGIN` such as https://app.example.com or https://*.example.com; may be repeated")
	flags.BoolVar(&f.closed, "closed", false, "local: make every connection mutual TLS, with certificates of the lab's own; a lab that was closed stays so until --closed=false")
	f.closedFlag = flags.Lookup("closed")
	f.registerNodes(flags)
	flags.DurationVar(&f.timeout, "timeout", 5*time.Minute, "kind, kubernetes: how long to wait until everything is ready")
	flags.BoolVar(&f.metricsServer, "metrics-server", false, "kind: run metrics-server too, for kubectl top")
	onlyOn(flags, []string{target.Local}, "no-services", "stack", "cache", "allow-origin", "closed")
	onlyOn(flags, []string{target.Local, target.Kind, target.Kubernetes}, "images", "inspect", "forward", "forward-headers", "no-faults", "retention", "retention-logs", "retention-traces", "retention-metrics", "retention-audit", "sample-traces", "sample-slow")
	onlyOn(flags, []string{target.Local, target.Kind}, "archives", "listen")
	onlyOn(flags, []string{target.Kind}, "workers", "node-image", "recreate", "metrics-server")
	onlyOn(flags, []string{target.Kind, target.Kubernetes}, "no-preflight", "timeout")
	flags.VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	cmd.Flags().AddFlagSet(flags)
	return names
}

// wantsClosed is the wish for a lab whose connections are mutual TLS, or for an open one; nil
// if the command line has neither.
func (f *upFlags) wantsClosed() *bool {
	if f.closedFlag == nil || !f.closedFlag.Changed {
		return nil
	}
	return &f.closed
}

// registerPorts adds the flags that choose ports, for a lab that stays.
func (f *upFlags) registerPorts(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.ports, "port", nil, "use another port, `NAME=NUMBER`; may be repeated. Names: frontend, grafana, on Kind also api (the Kubernetes API server), and on the local target backend, loki, loki_grpc, tempo, tempo_grpc, tempo_otlp, mimir, mimir_grpc, alloy, otlp_grpc, otlp_http, inspector")
	flags.BoolVar(&f.freePorts, "free-ports", false, "local: use ports that are free now instead of the usual ones")
	onlyOn(flags, []string{target.Local}, "free-ports")
	onlyOn(flags, []string{target.Local, target.Kind}, "port")
}

// registerKubernetes adds the flags of a lab in a cluster of the user's own.
func (f *upFlags) registerKubernetes(flags *pflag.FlagSet) {
	flags.StringVar(&f.size, "size", "", "kubernetes: small, medium or large (default what the cluster has, or small)")
	flags.StringVar(&f.settings, "settings", "", "kubernetes: a `FILE` with other settings than config/kubernetes/overlays/production/settings.env, such as the object store (default what the cluster has)")
	registerImage(flags, &f.given)
	onlyOn(flags, []string{target.Kubernetes}, "size", "settings", "image")
}

// registerImage adds the flag that names images.
func registerImage(flags *pflag.FlagSet, given *map[string]string) {
	flags.StringToStringVar(given, "image", nil, "the reference of an image, as `NAME=REFERENCE`; may be repeated")
	flags.Lookup("image").DefValue = "" // else the help says "(default [])"
}

// registerCluster adds the flags of a cluster without a lab in it.
func (f *upFlags) registerCluster(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.ports, "port", nil, "publish on another port of the host, `NAME=NUMBER`; may be repeated. Names: frontend, grafana, api (the Kubernetes API server)")
	f.registerNodes(flags)
}

// registerNodes adds the flags about a cluster's nodes and images.
func (f *upFlags) registerNodes(flags *pflag.FlagSet) {
	flags.IntVar(&f.workers, "workers", -1, "kind: nodes besides the control plane (default as many as the cluster has, or 0)")
	flags.Lookup("workers").DefValue = "0" // else the help prints -1
	flags.StringVar(&f.nodeImage, "node-image", "", "kind: the nodes' `IMAGE` (default \"node\" of the image lock)")
	registerImages(flags, &f.images)
	flags.StringVar(&f.archives, "archives", "", "a `DIRECTORY` with images as files, as `lab images pull --to` and pack write them. up takes the images that are there, and gets the others as usual")
	flags.StringVar(&f.listen, "listen", "", "the `ADDRESS` of this machine to listen on: 127.0.0.1 or 0.0.0.0, which lets every machine in that can reach this one; for kind any address (default 127.0.0.1, or the cluster's own)")
	flags.BoolVar(&f.noPreflight, "no-preflight", false, "kind, kubernetes: go on although something seems to be missing")
	flags.BoolVar(&f.recreate, "recreate", false, "kind: replace a cluster that was made with other settings or does not come to life; its data is lost")
}

// registerImages adds the flag that swaps the image lock.
func registerImages(flags *pflag.FlagSet, file *string) {
	flags.StringVar(file, "images", "", "another image lock than config/images.json, such as a mirror's: a `FILE`")
}
