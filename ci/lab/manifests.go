package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/manifests"
)

func manifestsCommand(e *env) *cobra.Command {
	var o manifests.Options
	var lock, passwordFile, settings string
	var given map[string]string
	var forwardURL string
	var headers []string
	var retention retentionFlags
	var sample samplingFlags
	cmd := &cobra.Command{
		Use:   "manifests",
		Short: "Print the Kubernetes manifests, for a cluster of your own",
		Long: `manifests prints the whole lab as Kubernetes objects, for kubectl apply --server-side.
docs/kubernetes.md describes the overlay production, which lab up --target kubernetes
applies by itself; lab up --target kind applies the overlay kind. The lock has the stack's images; name our own images with
--image frontend=REFERENCE --image backend=REFERENCE --image lab=REFERENCE.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			var err error
			if o.Images, err = e.manifestImages(lock, o.Overlay); err != nil {
				return err
			}
			maps.Copy(o.Images, given)
			if passwordFile != "" {
				raw, err := os.ReadFile(passwordFile)
				if err != nil {
					return fmt.Errorf("reading the administrator's password: %w", err)
				}
				if o.AdminPassword = strings.TrimRight(string(raw), "\r\n"); o.AdminPassword == "" {
					return errors.New("the file with the administrator's password is empty")
				}
			}
			if o.Settings, err = readSettings(settings); err != nil {
				return err
			}
			o.Retention = retention.periods()
			if o.Sampling, err = sample.traces(); err != nil {
				return usageError{err}
			}
			if o.Forward, err = forward.Named(forwardURL, headers); err != nil {
				return usageError{err}
			}
			raw, err := manifests.Build(e.files(), o)
			if err != nil {
				return err
			}
			_, err = e.stdout.Write(raw)
			return err
		},
	}
	cmd.Flags().StringVar(&o.Overlay, "overlay", manifests.Production, "production or kind")
	registerImages(cmd.Flags(), &lock)
	registerImage(cmd.Flags(), &given)
	cmd.Flags().StringVar(&o.Size, "size", "", "with --overlay production: small, medium or large (default medium)")
	cmd.Flags().StringVar(&settings, "settings", "", "with --overlay production: a `FILE` with other settings than those of its settings.env")
	cmd.Flags().StringVar(&o.GrafanaURL, "grafana-url", "", "the `URL` at which a browser finds Grafana (default the overlay's)")
	cmd.Flags().StringVar(&passwordFile, "admin-password-file", "", "a `FILE` with the password of Grafana's administrator (default in production: the cluster's own Secret grafana-admin)")
	retention.register(cmd.Flags(), 0)
	sample.register(cmd.Flags())
	cmd.Flags().BoolVar(&o.Faults, "faults", false, "let requests ask for faults: slow and failing queries")
	cmd.Flags().BoolVar(&o.MetricsServer, "metrics-server", false, "with --overlay kind: add metrics-server")
	cmd.Flags().BoolVar(&o.Inspect, "inspect", false, "add the inspector, for lab inspect and lab score; Alloy then makes a copy of all telemetry")
	cmd.Flags().StringVar(&forwardURL, "forward", "", "send a copy of all telemetry, as it came in, to another OTLP endpoint, too: an http or https `URL`, which takes http/protobuf")
	cmd.Flags().StringSliceVar(&headers, "forward-header", nil, "the `NAME` of a header that the endpoint of --forward wants; may be repeated. Its value comes from the key of this name of the Secret "+forward.Secret+" in the namespace observability")
	return cmd
}

// manifestImages returns the lock's references in the form that the overlay wants: with a
// digest, or with a tag alone for images that are loaded into the nodes.
func (e *env) manifestImages(file, overlay string) (map[string]string, error) {
	lock, err := e.imageLock(file)
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for _, name := range append(images.Workloads(), images.MetricsServer) {
		img, err := lock.Get(name)
		if err != nil {
			return nil, err
		}
		refs[name] = img.Reference()
		if overlay == manifests.Kind {
			refs[name] = img.Repository + ":" + img.Tag
		}
	}
	return refs, nil
}
