package local

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shirou/gopsutil/v4/process"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
)

// Each component has these variables in its environment. They say which lab has
// started the process, for certain: a command line can name a lab's file and be an
// editor's.
const (
	folderIDVariable  = "LGTM_LAB_ID"     // the ID of the lab's folder
	folderVariable    = "LGTM_LAB_FOLDER" // its path
	componentVariable = "LGTM_LAB_COMPONENT"
	programVariable   = "LGTM_LAB_PROGRAM" // the component's program
)

// ownership is what a component's environment says of the lab in the folder.
func ownership(folder labdir.Folder, component, program string) []string {
	return []string{folderIDVariable + "=" + folder.ID, folderVariable + "=" + folder.Path, componentVariable + "=" + component, programVariable + "=" + program}
}

// strays finds processes of this lab that its state does not know: a lab that was
// killed between starting a process and noting it leaves such.
func (l *Lab) strays(known []Process) []Process {
	folder, kind, err := labdir.Inspect(l.layout.dir)
	if err != nil || kind != labdir.Marked {
		return nil
	}
	all, err := process.ProcessesWithContext(thisMachine)
	if err != nil {
		return nil
	}
	var found []Process
	for _, proc := range all {
		pid := int(proc.Pid)
		if pid == os.Getpid() || slices.ContainsFunc(known, func(p Process) bool { return p.PID == pid }) {
			continue
		}
		// Another user's environment cannot be read, and that process is not ours.
		environ, err := proc.EnvironWithContext(thisMachine)
		if err != nil {
			continue
		}
		p := Process{PID: pid, Name: componentOf(folder, environ), Path: variable(environ, programVariable)}
		if p.Name == "" {
			continue
		}
		// The services' programs are in the folder, wherever that is now.
		if rel, err := filepath.Rel(variable(environ, folderVariable), p.Path); err == nil && filepath.IsLocal(rel) {
			p.Path = filepath.Join(folder.Path, rel)
		}
		// A child of a component has the component's environment, too.
		if exe, err := proc.ExeWithContext(thisMachine); err != nil || !isSameProgram(exe, p.Path) {
			continue
		}
		p.identify()
		found = append(found, p)
	}
	return found
}

// componentOf tells which component of the lab in the folder has the environment; "" when it is
// none. A folder that was moved keeps its ID; one that was copied has another's, who is
// still where the environment says.
func componentOf(folder labdir.Folder, environ []string) string {
	if folder.ID == "" || variable(environ, folderIDVariable) != folder.ID {
		return ""
	}
	if started, err := os.Stat(variable(environ, folderVariable)); err == nil {
		if here, err := os.Stat(folder.Path); err != nil || !os.SameFile(started, here) {
			return ""
		}
	}
	name := variable(environ, componentVariable)
	if !slices.Contains(order, name) {
		return ""
	}
	return name
}

// variable returns the variable's value, "" when there is none.
func variable(environ []string, name string) string {
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
