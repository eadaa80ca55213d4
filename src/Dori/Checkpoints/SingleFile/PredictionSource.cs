using System.Text.RegularExpressions;
using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Checkpoints.SingleFile;

/// <summary>Whether a single file predicts noise or velocity, and how that is known.</summary>
/// <param name="Type"><c>epsilon</c> or <c>v_prediction</c></param>
/// <param name="Said">For people: where it stands.</param>
/// <param name="Outside">It stands neither in the file nor in a config, so that hashes must name it.</param>
internal sealed partial record PredictionSource(string Type, string Said, bool Outside)
{
    public const string Epsilon = "epsilon", Velocity = "v_prediction";

    /// <param name="option">What option PredictionType says; null: nothing.</param>
    /// <param name="configured">What the config says.</param>
    /// <param name="tell">Asks the weights; null where the config is to be believed.</param>
    public static PredictionSource Of(string path, SingleFileKeys keys, string? option, string configured, Func<bool>? tell,
        ModelNotes notes)
    {
        PredictionSource found = keys.Velocity ? new(Velocity, "the file says so (v_pred)", false)
            : Yaml(path) is { } yaml ? yaml
            : tell is not null ? new(tell() ? Velocity : Epsilon, "told from the weights by one pass at t = 999", false)
            : new(configured, "the config says so", false);
        if (option is not null && option != found.Type)
            notes.Say($"`PredictionType` {option} contradicts {(keys.Velocity ? "the file (v_pred)" : found.Said)}: {found.Type}; "
                + $"{option} is taken");
        return option is null ? found : new PredictionSource(option, "`PredictionType` says so", true);
    }

    /// <summary>The training's config beside the file, as web UIs look for it.</summary>
    private static PredictionSource? Yaml(string path)
    {
        foreach (string extension in new[] { ".yaml", ".yml" })
        {
            string beside = System.IO.Path.ChangeExtension(path, extension);
            if (!File.Exists(beside)) continue;
            string text = InputFile.ReadText(beside, InputKind.Config);
            string said = $"{System.IO.Path.GetFileName(beside)} beside the file says so";
            if (VelocityYaml().IsMatch(text)) return new(Velocity, said, true);
            if (EpsilonYaml().IsMatch(text)) return new(Epsilon, said, true);
        }
        return null;
    }

    /// <summary>
    /// One pass at the noisiest step: a model of velocity answers with the picture's negative, one of noise with the noise. Source: web
    /// UIs' check of SD 2 files (x = 0.5 everywhere, text 0.5 everywhere; mean of output minus x below -1: velocity).
    /// </summary>
    public static bool PredictsVelocity(UNetConfig config, WeightSet weights)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var unet = new UNet2DConditionModel(config);
        ModuleLoader.Load(unet, weights, "unet");
        unet.eval();
        const int side = 8, tokens = 2;
        Tensor x = ones(1, config.InChannels, side, side).Times(0.5), y = ones(1, tokens, config.CrossAttentionDim).Times(0.5);
        Tensor output = unet.call(x, tensor(new long[] { 999 }), y);
        return (output - x.narrow(1, 0, output.shape[1])).mean().item<float>() < -1;
    }

    [GeneratedRegex(@"parameterization:\s*[""']?v[""']?\s*$|VScaling", RegexOptions.Multiline)]
    private static partial Regex VelocityYaml();

    [GeneratedRegex(@"parameterization:\s*[""']?eps[""']?\s*$|EpsScaling", RegexOptions.Multiline)]
    private static partial Regex EpsilonYaml();
}
