package cluster

import (
	"errors"
	"fmt"
	"net/url"
)

// RuntimeHost returns the name of the machine on which the container runtime publishes
// ports, from the value of DOCKER_HOST. It fails when the value is a socket on this
// machine, or does not name a machine.
func RuntimeHost(dockerHost string) (string, error) {
	u, err := url.Parse(dockerHost)
	switch {
	case dockerHost == "" || err == nil && (u.Scheme == "unix" || u.Scheme == "npipe"):
		return "", errors.New("the container runtime is on this machine, and so are the ports that it publishes: you need no forwarding")
	case err != nil || u.Scheme != "tcp" && u.Scheme != "ssh" || u.Hostname() == "":
		return "", fmt.Errorf("DOCKER_HOST is %q: want tcp://HOST:PORT or ssh://HOST to know where ports are published", dockerHost)
	}
	return u.Hostname(), nil
}
