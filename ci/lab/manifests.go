package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/manifests"
)

func manifestsCommand(e *env) *cobra.Command {
	var o manifests.Options
	var lock, passwordFile string
	var given map[string]string
	var retention retentionFlags
	cmd := &cobra.Command{
		Use:   "manifests",
		Short: "Print the Kubernetes manifests, for a cluster of your own",
		Long: `manifests prints the whole lab as Kubernetes objects, for kubectl apply --server-side.
The overlay production is described in docs/kubernetes.md; kind is what lab up
--target kind applies. The stack's images are those of the lock, ours are given with
--image frontend=REFERENCE --image backend=REFERENCE.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			root, err := checkout.Root()
			if err != nil {
				return err
			}
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
			o.Retention = retention.periods()
			raw, err := manifests.Build(root, o)
			if err != nil {
				return err
			}
			_, err = e.stdout.Write(raw)
			return err
		},
	}
	cmd.Flags().StringVar(&o.Overlay, "overlay", manifests.Production, "production or kind")
	registerImages(cmd.Flags(), &lock)
	cmd.Flags().StringToStringVar(&given, "image", nil, "the reference of an image, as `NAME=REFERENCE`; may be repeated")
	cmd.Flags().Lookup("image").DefValue = "" // else the help says "(default [])"
	cmd.Flags().StringVar(&o.GrafanaURL, "grafana-url", "", "where a browser finds Grafana: a `URL` (default what the overlay says)")
	cmd.Flags().StringVar(&passwordFile, "admin-password-file", "", "a `FILE` with the password of Grafana's administrator (production: default a Secret grafana-admin that is there)")
	retention.register(cmd.Flags(), 0)
	cmd.Flags().BoolVar(&o.Faults, "faults", false, "let a request ask for a fault")
	cmd.Flags().BoolVar(&o.MetricsServer, "metrics-server", false, "with --overlay kind: add metrics-server")
	return cmd
}

// manifestImages are the lock's references as the overlay wants them: by digest,
// or by tag where images are loaded.
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
