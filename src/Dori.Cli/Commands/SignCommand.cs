using System.ComponentModel;
using System.Text.Json;
using Dori.Audit;
using Dori.Signing;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class SignSettings : CommonSettings
{
    [CommandArgument(0, "<RUN>"), Description("A run folder with its report; its files are listed in SHA256SUMS and signed")]
    public string Run { get; init; } = "";

    [CommandOption("--key <FILE>"),
        Description("An Ed25519 private key in PEM: openssl genpkey -algorithm ed25519 -out key.pem")]
    public string Key { get; init; } = "";
}

internal sealed class SignCommand(Shell shell) : Command<SignSettings>
{
    protected override int Execute(CommandContext context, SignSettings settings, CancellationToken cancellation)
    {
        if (settings.Key.Length == 0)
            throw new DoriException("sign: --key FILE is missing: an Ed25519 private key, openssl genpkey -algorithm ed25519 -out key.pem");
        var key = Ed25519Key.Read(settings.Key);
        Statement statement = SignedRun.Sign(RunFolder.Open(settings.Run), key);
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(statement, SigningJson.Default.Statement));
        else if (!settings.Quiet)
            shell.Console.WriteLine($"Signed: {statement.Predicate.InWords}; key {key.Id}\n"
                + $"Record: {Path.Combine(settings.Run, SignedRun.Attestation)}");
        return DoriApp.Done;
    }
}
