package local

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
)

// writeHeaders writes the values of the endpoint's headers into the lab's folder, where only
// its owner can read them, in the place of those that were there.
func writeHeaders(f forward.Endpoint, folder labdir.Folder, l layout) error {
	into, err := folder.Root()
	if err != nil {
		return err
	}
	defer into.Close()
	secrets := l.relative(l.secrets())
	if err := into.RemoveAll(secrets); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the headers of an earlier --forward: %w", err)
	}
	if f.URL == "" {
		return nil
	}
	err = into.MkdirAll(secrets, 0o700)
	for i, h := range f.Slots() {
		err = cmp.Or(err, into.WriteFile(path.Join(secrets, strconv.Itoa(i)), []byte(h.Value), 0o600))
	}
	if err != nil {
		return fmt.Errorf("writing the headers of --forward: %w", err)
	}
	return nil
}
