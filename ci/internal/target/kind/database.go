package kind

import (
	"context"
	"fmt"
	"io"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

var _ target.Database = (*Target)(nil)

// Backup implements [target.Database].
func (t *Target) Backup(ctx context.Context, w io.Writer) error {
	return t.notUp(t.workloads(t.cluster()).Backup(ctx, w))
}

// Restore implements [target.Database].
func (t *Target) Restore(ctx context.Context, r io.Reader) (done string, err error) {
	done, err = t.workloads(t.cluster()).Restore(ctx, r)
	return done, t.notUp(err)
}

// MigrateDatabase implements [target.Database]: the backend of a Kind cluster has its SQLite
// file only.
func (t *Target) MigrateDatabase(context.Context) (string, error) {
	return "", fmt.Errorf("migrate-database: %w", target.ErrNotHere)
}
