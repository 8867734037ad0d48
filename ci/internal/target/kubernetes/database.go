package kubernetes

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// backendProgram is where ko puts the backend in its image.
const backendProgram = "/ko-app/backend"

// Backup writes a backup of the users to w. It runs the backend's own program in the
// backend's pod, which must run.
func (w Workloads) Backup(ctx context.Context, to io.Writer) error {
	return w.backend(ctx, nil, to, "backup", "-")
}

// Restore replaces the users by those of a backup. The backend takes it by itself.
func (w Workloads) Restore(ctx context.Context, from io.Reader) (done string, err error) {
	var said strings.Builder
	err = w.backend(ctx, from, &said, "restore", "-")
	return strings.TrimSpace(said.String()), err
}

// backend runs a command of the backend in its pod.
func (w Workloads) backend(ctx context.Context, stdin io.Reader, stdout io.Writer, args ...string) error {
	line := []string{"exec", "--namespace=" + target.NamespaceApp, "--quiet"}
	if stdin != nil {
		line = append(line, "--stdin")
	}
	line = append(append(line, "deployment/"+target.Backend, "--container="+target.Backend, "--", backendProgram), args...)
	err := w.Client.KubectlTo(ctx, stdout, stdin, line...)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w\n(the command runs in the backend's pod; see `%s status %s`)", err, command.Name(), w.Flags)
}
