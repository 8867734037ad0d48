package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

var _ target.Database = (*Target)(nil)

// Backup implements [target.Database]. The lab may be up or not.
func (t *Target) Backup(ctx context.Context, w io.Writer) error {
	return t.backend(ctx, nil, w, "backup", "-")
}

// Restore implements [target.Database]. A backend that runs takes the backup by itself.
func (t *Target) Restore(ctx context.Context, r io.Reader) (done string, err error) {
	var said strings.Builder
	err = t.backend(ctx, r, &said, "restore", "-")
	return strings.TrimSpace(said.String()), err
}

// MigrateDatabase implements [target.Database]. The lab must be down.
func (t *Target) MigrateDatabase(ctx context.Context) (done string, err error) {
	var said strings.Builder
	err = t.backend(ctx, nil, &said, "migrate-database")
	return strings.TrimSpace(said.String()), err
}

// backend runs a command of the lab's backend on the lab's database.
func (t *Target) backend(ctx context.Context, stdin io.Reader, stdout io.Writer, args ...string) error {
	dir, err := t.o.Dir()
	if err != nil {
		return err
	}
	folder, kind, err := labdir.Inspect(dir)
	if err != nil {
		return err
	}
	if kind != labdir.Marked {
		return ErrNotUp
	}
	l := layout{folder.Path}
	program := l.bin(target.Backend)
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the lab in %s has had no backend yet; start it with `%s up`: %w", l.dir, command.Name(), target.ErrNotUp)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = l.dir
	// With the whole path, which the command may tell the user.
	cmd.Env = append(append(environment(os.Environ()), l.databases(t.o.DatabaseURL)...), "DATABASE_PATH="+l.database())
	cmd.Stdin, cmd.Stdout = stdin, stdout
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	err = cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if said := strings.TrimSpace(complaint.String()); err != nil && said != "" {
		return errors.New(strings.TrimPrefix(said, "backend: "))
	}
	return err
}
