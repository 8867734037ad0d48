package stack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// versionTimeout bounds how long a program on PATH may take to say its version;
// Alloy, the slowest, takes half a second.
const versionTimeout = 10 * time.Second

// onPath returns the program of sp on PATH if it is of a pinned version. The
// error says which version was wanted and found.
func (s *Stack) onPath(ctx context.Context, sp spec) (Program, error) {
	wanted := s.versions(sp)
	file, err := exec.LookPath(sp.name)
	if err != nil {
		return Program{}, fmt.Errorf("%s %s is not on PATH", sp.name, strings.Join(wanted, " or "))
	}
	if file, err = filepath.Abs(file); err != nil {
		return Program{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, "--version")
	cmd.WaitDelay = time.Second // a wrapper script may leave a child with our pipe
	out, err := cmd.CombinedOutput()
	if err != nil {
		return Program{}, fmt.Errorf("%s --version: %w", file, err)
	}
	i := slices.IndexFunc(wanted, func(v string) bool { return names(string(out), v) })
	if i < 0 {
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return Program{}, fmt.Errorf("%s is not %s but says %.80q", file, strings.Join(wanted, " or "), first)
	}
	p := Program{Name: sp.name, Version: wanted[i], Source: Path, Path: file}
	if sp.homeInImage != "" {
		if p.Home = grafanaHome(file); p.Home == "" {
			return Program{}, fmt.Errorf("%s has no home directory with conf/defaults.ini near it", file)
		}
	}
	return p, nil
}

// versions are the pinned versions of a program: of its source and of its image.
// For all but Mimir they are the same.
func (s *Stack) versions(sp spec) []string {
	var all []string
	if pin, ok := s.pins[sp.name]; ok {
		all = append(all, pin.Release)
	}
	if img, err := s.cfg.Images.Get(sp.name); err == nil && !slices.Contains(all, img.Tag) {
		all = append(all, img.Tag)
	}
	return all
}

// names reports whether the output of --version has just this version in it:
// 3.7.7 is neither 13.7.7 nor 3.7.70 nor 3.7.7-rc.1. A leading v is optional.
func names(output, version string) bool {
	v := regexp.QuoteMeta(strings.TrimPrefix(version, "v"))
	return regexp.MustCompile(`(^|[\s=:(,"])v?` + v + `($|[\s,)"])`).MatchString(output)
}

// grafanaHome finds Grafana's home for its program: next to bin/ in an archive,
// below share/ in Homebrew, and in its fixed place in a Linux package.
func grafanaHome(program string) string {
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	prefix := filepath.Dir(filepath.Dir(program))
	for _, home := range []string{prefix, filepath.Join(prefix, "share", "grafana"), "/usr/share/grafana"} {
		if _, err := os.Stat(filepath.Join(home, "conf", "defaults.ini")); err == nil {
			return home
		}
	}
	return ""
}
