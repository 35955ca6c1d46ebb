package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports"
)

func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

// configFlags are the flags that choose and override the configuration.
type configFlags struct{ profile, file, services, listen, dataDir string }

func (f *configFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", "", "local, kafka, sql or googlecloud (default local)")
	flags.StringVar(&f.file, "config", "", "YAML file over the profile")
	flags.StringVar(&f.services, "services", "", "services to run here, separated by commas (default all)")
	flags.StringVar(&f.listen, "listen", "", "address of the HTTP server (default 127.0.0.1:8080)")
	flags.StringVar(&f.dataDir, "data-dir", "", "folder of the SQLite files, created if missing (default ./data)")
}

// load reads the configuration: flags over environment over file over profile.
func (f *configFlags) load(g *globals) (*config.Loaded, error) {
	flags := map[string]string{}
	for key, value := range map[string]string{
		"services": f.services, "http.listen": f.listen, "store.sqlite.dir": f.dataDir, "log.level": g.LogLevel, "log.format": g.LogFormat,
	} {
		if value != "" {
			flags[key] = value
		}
	}
	loaded, err := config.Load(config.Source{Profile: f.profile, File: f.file, Env: os.Environ(), Flags: flags, Services: app.ServiceNames()})
	if err != nil {
		return nil, &exitError{code: exitUsage, err: fmt.Errorf("the configuration is not usable:\n%w", err)}
	}
	return loaded, nil
}

func newServeCommand(g *globals) *cobra.Command {
	var flags configFlags
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the platform's services", Args: takes(),
		Long: "Run the platform's services in this process. The default needs nothing else: all services, Go channels between them, SQLite files in ./data.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := flags.load(g)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), loaded.Config)
		},
	}
	flags.bind(cmd)
	return cmd
}

func serve(ctx context.Context, c config.Config) error {
	o, err := optionsOf(c)
	if err != nil {
		return err
	}
	err = app.Serve(ctx, o)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, app.ErrConfiguration):
		return &exitError{code: exitUsage, err: err}
	}
	return no(err)
}

// optionsOf are the platform's on the transport of the configuration, which keeps what the configuration needs.
func optionsOf(c config.Config) (app.Options, error) {
	driver, err := transports.Select(c.Transport.Driver)
	o := app.Options{Config: c, Driver: driver, Platform: true, Version: version}
	if err == nil {
		err = o.Kept()
	}
	if err != nil {
		return o, &exitError{code: exitUsage, err: err}
	}
	return o, nil
}
