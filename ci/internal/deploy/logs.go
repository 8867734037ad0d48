package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ErrUnknown says that there is no workload of that name.
var ErrUnknown = errors.New("no such component")

// Logs writes the logs of the named workload's pods to w; with follow it goes on until ctx
// ends. It fails with ErrUnknown when the namespaces have no such workload.
func Logs(ctx context.Context, k Kubectl, w io.Writer, name string, follow bool, namespaces ...string) error {
	s, err := readState(ctx, k, false)
	if err != nil {
		return err
	}
	var names []string
	for _, found := range s.workloads {
		if !slices.Contains(namespaces, found.Namespace) {
			continue
		}
		if names = append(names, found.Name); found.Name != name {
			continue
		}
		if follow {
			return followLogs(ctx, k, w, found.Ref, lookEvery)
		}
		args := []string{"logs", "--namespace=" + found.Namespace, "--selector=" + found.Selector, "--all-containers", "--tail=-1", "--max-log-requests=20"}
		if len(found.Pods)+len(found.Old) > 1 {
			args = append(args, "--prefix")
		}
		return k.KubectlTo(ctx, w, nil, args...)
	}
	return fmt.Errorf("%q: %w; there are %s", name, ErrUnknown, strings.Join(names, ", "))
}
