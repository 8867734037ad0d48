package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/build"
)

func imagesBuildCommand(e *env, f *imageFlags) *cobra.Command {
	var b buildFlags
	var out, version, publish, load, user, passwordFile string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build the images of frontend, backend and lab",
		Long: `build compiles the programs and puts each on the base image of the lock, without any
container runtime. For every image it writes an archive with all platforms
(NAME.oci.tar), an archive for this machine's platform that docker and kind load
(NAME.tar), and the SBOMs; digests.json lists them all. The same checkout gives the same
digests on every machine.

On a machine without a registry, --base takes the path of an OCI layout, which
` + "`lab images pull base`" + ` writes on a machine with one. --publish also pushes the images and
their SBOMs; without -o json it prints the references.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := f.json()
			if err != nil {
				return err
			}
			o, err := b.options(e, f)
			if err != nil {
				return err
			}
			if out == "" {
				if out, err = e.labPath("images"); err != nil {
					return err
				}
			}
			o.Out, o.Version, o.Publish, o.LoadPlatform = out, version, publish, load
			if o.Cache, err = e.labPath("cache", "ko"); err != nil {
				return err
			}
			if o.Login, err = login(user, passwordFile); err != nil {
				return err
			}
			built, err := build.Build(cmd.Context(), o)
			if err != nil {
				return err
			}
			return e.showBuilt(built, asJSON)
		},
	}
	e.registerDir(cmd)
	b.register(cmd)
	cmd.Flags().StringVar(&out, "out", "", "the `DIRECTORY` for archives and digests (default images in the lab's folder)")
	cmd.Flags().StringVar(&load, "load-platform", "", "the `PLATFORM` of NAME.tar (default this machine's, else the first)")
	cmd.Flags().StringVar(&version, "version", "", "the `VERSION` that the services report (default dev)")
	cmd.Flags().StringVar(&publish, "publish", "", "push to `REPOSITORY`/NAME too")
	cmd.Flags().StringVar(&user, "user", "", "with --publish: the `USER` that pushes (default the user that `docker login` has stored)")
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "with --user: a `FILE` with the password or token")
	onlyWith(cmd.Flags(), "publish", "user")
	onlyWith(cmd.Flags(), "user", "password-file")
	return cmd
}

// login returns the user that pushes, and reads the password; nil without a user.
func login(user, passwordFile string) (*build.Login, error) {
	if user == "" {
		return nil, nil
	}
	if passwordFile == "" {
		return nil, usageError{errors.New("--user wants --password-file, too")}
	}
	raw, err := os.ReadFile(passwordFile)
	if err != nil {
		return nil, fmt.Errorf("reading the password: %w", err)
	}
	return &build.Login{User: user, Password: strings.TrimRight(string(raw), "\r\n")}, nil
}
