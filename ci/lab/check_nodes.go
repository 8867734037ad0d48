package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// registerNodes lets the flag that names the nodes' image count for the cluster of the cases
// with a k3d fixture, too.
func registerNodes(flags *pflag.FlagSet) {
	onlyOn(flags, []string{target.Local, target.Kind}, "node-image")
	flags.Lookup("node-image").Usage = "the `IMAGE` of a cluster's nodes, for --target kind and for cases with a k3d fixture (default \"node\" of the image lock)"
}

// caseNodes says what the nodes of a cluster for the cases with a k3d fixture are made from.
func (e *env) caseNodes(f *upFlags) func(context.Context) (cluster.Config, error) {
	return func(ctx context.Context) (cluster.Config, error) {
		t, err := kind.New(kind.Options{
			NodeImage: f.nodeImage, Archives: f.archives, Say: e.say,
			Lock: func() (images.Lock, error) { return e.imageLock(f.images) },
		})
		if err != nil {
			return cluster.Config{}, err
		}
		return t.Nodes(ctx)
	}
}
