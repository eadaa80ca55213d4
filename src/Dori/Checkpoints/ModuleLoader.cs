using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Dori.Checkpoints;

/// <summary>
/// Puts a checkpoint's weights into a module. First all names and shapes are compared: every parameter must be in the checkpoint, in its
/// shape, and everything in the checkpoint must have its parameter. A weight that stays at its random start would make a wrong model look
/// like a clean one.
/// </summary>
internal static class ModuleLoader
{
    private const int Listed = 8;

    /// <param name="what">The component, for the error: "unet".</param>
    /// <param name="rename">From the checkpoint's key to the module's.</param>
    /// <param name="ignorable">Checkpoint keys to leave out, as the checkpoint spells them.</param>
    /// <exception cref="DoriException">What is missing, unexpected or of another shape, by name; weights that are not numbers.</exception>
    public static void Load(nn.Module module, WeightSet weights, string what, Func<string, string>? rename = null,
        IReadOnlySet<string>? ignorable = null)
    {
        var parameters = module.named_parameters().ToDictionary(p => p.name, p => p.parameter, StringComparer.Ordinal);
        Dictionary<string, string> sourceOf = Compare(parameters, weights, what, rename ?? (key => key), ignorable);
        using var noGrad = no_grad();
        foreach ((string key, Tensor parameter) in parameters)
        {
            using var scope = NewDisposeScope(); // one tensor in memory at a time
            Tensor stored = weights.Read(sourceOf[key]);
            if (!stored.isfinite().all().item<bool>())
                throw new DoriException(
                    $"{what}: tensor '{SafetensorsFile.Shown(sourceOf[key])}' of {weights.FileOf(sourceOf[key])} holds infinities or NaN; "
                    + $"such a model generates nothing that could be judged");
            parameter.copy_(stored.view(parameter.shape));
        }
    }

    /// <returns>Module key to checkpoint key, for every parameter.</returns>
    private static Dictionary<string, string> Compare(Dictionary<string, Parameter> parameters, WeightSet weights, string what,
        Func<string, string> rename, IReadOnlySet<string>? ignorable)
    {
        var sourceOf = new Dictionary<string, string>(StringComparer.Ordinal);
        List<string> unexpected = [], misshapen = [];
        foreach (string name in weights.Names)
        {
            if (ignorable?.Contains(name) == true) continue;
            string key = rename(name);
            if (!sourceOf.TryAdd(key, name))
                throw new DoriException(
                $"{what}: '{sourceOf[key]}' and '{SafetensorsFile.Shown(name)}' in {weights.Folder} are two spellings of one weight");
            TensorInfo info = weights.Info(name);
            if (!parameters.TryGetValue(key, out Parameter? parameter)) unexpected.Add(SafetensorsFile.Shown(name));
            else if (!Fits(info, parameter.shape))
                misshapen.Add($"{SafetensorsFile.Shown(name)} {Shape(info.Shape)} for {Shape(parameter.shape)}");
            else if (!info.IsFloat)
                throw new DoriException(
                    $"{what}: tensor '{SafetensorsFile.Shown(name)}' of {weights.FileOf(name)} is stored as {info.Dtype}; quantized "
                    + $"weights are not supported, use the model's float16 or float32 ones");
        }
        string[] missing = [.. parameters.Keys.Where(key => !sourceOf.ContainsKey(key))];
        string[] faults =
            [.. new[] { List("missing", missing), List("unexpected", unexpected), List("misshapen", misshapen) }.OfType<string>()];
        if (faults.Length > 0)
            throw new DoriException($"{what}: the weights in {weights.Folder} do not fit config.json: {string.Join("; ", faults)}");
        return sourceOf;
    }

    private static bool Fits(TensorInfo info, long[] shape)
    {
        if (info.Shape.SequenceEqual(shape)) return true;
        // Stable Diffusion 1.x's VAE was saved when its attention's projections were 1 by 1 convolutions.
        return info.Name.Contains(".attentions.", StringComparison.Ordinal) && shape.Length == 2 && shape[0] == shape[1]
            && info.Shape.SequenceEqual([shape[0], shape[1], 1, 1]);
    }

    private static string? List(string what, IReadOnlyCollection<string> names) => names.Count == 0 ? null
        : $"{names.Count} {what} ({string.Join(", ", names.Take(Listed))}{(names.Count > Listed ? ", ..." : "")})";

    private static string Shape(IEnumerable<long> shape) => $"({string.Join(", ", shape)})";
}
