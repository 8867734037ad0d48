package kind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

var _ target.Database = (*Target)(nil)

// Backup implements [target.Database]. It runs the backend's own program in the backend's
// pod, which must run.
func (t *Target) Backup(ctx context.Context, w io.Writer) error {
	return t.backend(ctx, nil, w, "backup", "-")
}

// Restore implements [target.Database]. The backend takes the backup by itself.
func (t *Target) Restore(ctx context.Context, r io.Reader) (done string, err error) {
	var said strings.Builder
	err = t.backend(ctx, r, &said, "restore", "-")
	return strings.TrimSpace(said.String()), err
}

// MigrateDatabase implements [target.Database]: the backend of a Kind cluster has its SQLite
// file only.
func (t *Target) MigrateDatabase(context.Context) (string, error) {
	return "", fmt.Errorf("migrate-database: %w", target.ErrNotHere)
}

// backendProgram is where ko puts the backend in its image.
const backendProgram = "/ko-app/backend"

// backend runs a command of the backend in its pod.
func (t *Target) backend(ctx context.Context, stdin io.Reader, stdout io.Writer, args ...string) error {
	line := []string{"exec", "--namespace=" + target.NamespaceApp, "--quiet"}
	if stdin != nil {
		line = append(line, "--stdin")
	}
	line = append(append(line, "deployment/"+target.Backend, "--container="+target.Backend, "--", backendProgram), args...)
	err := t.notUp(t.cluster().KubectlTo(ctx, stdout, stdin, line...))
	if err == nil || ctx.Err() != nil || errors.Is(err, target.ErrNotUp) {
		return err
	}
	return fmt.Errorf("%w\n(the command runs in the backend's pod; see `%s status --target kind`)", err, command.Name())
}
