package local

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
)

// Attach makes this program the one that looks after the lab, unless another
// that still runs does: then it returns that one's process. A lab has an owner so
// that two programs do not both report, and stop, the same processes.
func (l *Lab) Attach() (owner int) {
	if o, ok := readOwner(l.layout.dir); ok && o.PID != os.Getpid() && o.alive() {
		return o.PID
	}
	_ = noteOwner(labdir.Folder{Path: l.layout.dir})
	return 0
}

// noteOwner notes this process as the folder's owner.
func noteOwner(folder labdir.Folder) error {
	me := Process{Name: "lab", PID: os.Getpid()}
	me.Path, _ = os.Executable()
	me.identify()
	raw, err := json.Marshal(me)
	if err != nil {
		return err
	}
	return folder.Write(ownerName, raw)
}

// readOwner returns the process that looks after the lab in the folder, or did last.
func readOwner(dir string) (owner Process, ok bool) {
	raw, err := os.ReadFile(filepath.Join(dir, ownerName))
	if err != nil {
		return Process{}, false
	}
	err = json.Unmarshal(raw, &owner)
	return owner, err == nil && owner.PID > 0
}
