package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// APIPort is the port of the Kubernetes API server in the control-plane node.
const APIPort = 6443

// apiName is a name that Kind always puts into the API server's certificate, on whatever
// address the port is published.
const apiName = "localhost"

// Kubeconfig returns a configuration with which kubectl reaches the cluster as its
// administrator. server is the URL of the API server; "" means the port that the runtime
// has published on this machine. It fails with ErrAbsent when there is no cluster.
func (c *Cluster) Kubeconfig(ctx context.Context, server string) ([]byte, error) {
	found, err := c.listNodes()
	if err != nil {
		return nil, err
	}
	var admin bytes.Buffer
	if err := inNode(ctx, found[0], &admin, "cat", "/etc/kubernetes/admin.conf"); err != nil {
		return nil, fmt.Errorf("reading the administrator's kubeconfig: %w", err)
	}
	if server == "" {
		port, err := c.apiHostPort(ctx)
		if err != nil {
			return nil, err
		}
		server = "https://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	}
	return readdress(admin.Bytes(), server)
}

// apiHostPort returns the host's port of the API server, even when the runtime has picked
// it.
func (c *Cluster) apiHostPort(ctx context.Context) (int, error) {
	// One line for each address family: "127.0.0.1:43567".
	out, err := c.docker(ctx, nil, "port", c.controlPlane(), strconv.Itoa(APIPort)+"/tcp")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	_, number, err := net.SplitHostPort(strings.TrimSpace(first))
	if err == nil {
		var port int
		if port, err = strconv.Atoi(number); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("the runtime does not publish the API server of the cluster %s: `docker port` says %q", c.Name, first)
}

// readdress puts another address of the API server into a kubeconfig. kubectl goes on
// checking the certificate against [apiName], which the certificate has.
func readdress(kubeconfig []byte, server string) ([]byte, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(kubeconfig, &doc); err != nil {
		return nil, fmt.Errorf("the administrator's kubeconfig: %w", err)
	}
	clusters, _ := doc["clusters"].([]any)
	for _, entry := range clusters {
		named, _ := entry.(map[string]any)
		if target, ok := named["cluster"].(map[string]any); ok {
			target["server"], target["tls-server-name"] = server, apiName
			return yaml.Marshal(doc)
		}
	}
	return nil, errors.New("the administrator's kubeconfig names no cluster")
}
