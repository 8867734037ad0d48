package build

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// Login is who pushes to a registry.
type Login struct{ User, Password string }

// logIn hands the login to the builder: as a Docker configuration of its own, in a
// folder that only this user can read, until forget is called. Docker's own
// configuration may name a credential helper, which is a program of another machine.
func (o *Options) logIn() (forget func(), err error) {
	if o.Login == nil {
		return func() {}, nil
	}
	repository, err := name.NewRepository(o.Publish)
	if err != nil {
		return nil, fmt.Errorf("the repository to publish to: %w", err)
	}
	registry := repository.RegistryStr()
	if registry == name.DefaultRegistry {
		registry = authn.DefaultAuthKey // Docker's own registry has this name in the file
	}
	raw, err := json.Marshal(map[string]any{"auths": map[string]any{
		registry: map[string]string{"username": o.Login.User, "password": o.Login.Password},
	}})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "lgtm-lab-login-")
	if err != nil {
		return nil, err
	}
	forget = func() { _ = os.RemoveAll(dir) }
	if err := os.WriteFile(filepath.Join(dir, "config.json"), raw, 0o600); err != nil {
		forget()
		return nil, err
	}
	o.env = append(o.env, "DOCKER_CONFIG="+dir)
	return forget, nil
}
