// Package vcs stands in for Alloy's client of Git in a lean Alloy: of the sources of
// modules, import.git alone needs it.
package vcs

import (
	"context"
	"errors"
	"io/fs"
)

// errLeftOut is what every use of import.git comes to.
var errLeftOut = errors.New("this Alloy was compiled without import.git: `lab stack build --full` compiles all of Alloy, and import.file reads a clone of the repository")

// GitRepoOptions say which repository is meant.
type GitRepoOptions struct {
	Repository string
	Revision   string
	Auth       GitAuthConfig
}

// GitRepo is a repository. There are none here.
type GitRepo struct{}

// NewGitRepo fails.
func NewGitRepo(_ context.Context, _ string, opts GitRepoOptions) (*GitRepo, error) {
	return nil, DownloadFailedError{Repository: opts.Repository, Inner: errLeftOut}
}

// Update fails.
func (*GitRepo) Update(context.Context) error { return errLeftOut }

// ReadFile fails.
func (*GitRepo) ReadFile(string) ([]byte, error) { return nil, errLeftOut }

// Stat fails.
func (*GitRepo) Stat(string) (fs.FileInfo, error) { return nil, errLeftOut }

// ReadDir fails.
func (*GitRepo) ReadDir(string) ([]fs.FileInfo, error) { return nil, errLeftOut }

// CurrentRevision fails.
func (*GitRepo) CurrentRevision() (string, error) { return "", errLeftOut }
