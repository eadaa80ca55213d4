using Dori.Diffusion;
using Dori.Native;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>
/// Weight matrices and kernels of which little is left, or in which nothing was ever learned: training leaves none at 0 or near it, a
/// download with a hole does, and a part that was not loaded stays noise. Such a part may matter to the pictures that a model holds and
/// not to any other, so that what the model does with others does not show it.
/// </summary>
internal static class ControlWeights
{
    private const int Narrowest = 64, FewestWide = 8, Iterations = 40;
    private const double Wide = 1.5, NoiseEdge = 1.03;

    public static IEnumerable<ControlFigure> Figures(DiffusionModel model)
    {
        (string Part, string Name, nn.Module? Module)[] networks =
        [
            (PositiveControl.Eye, "VAE", model.Vae), (PositiveControl.Ear, "text encoder", model.TextEncoder),
            (PositiveControl.Ear, "second text encoder", model.TextEncoder2), (PositiveControl.Hand, "UNet", model.UNet),
        ];
        foreach ((string part, string name, nn.Module? module) in networks)
        {
            if (module is null) continue;
            (string Name, Tensor Weight)[] weights = [.. module.named_parameters().Where(p => p.parameter.dim() > 1)
                .Select(p => (p.name, (Tensor)p.parameter))];
            yield return ControlFigure.Of(part, $"weight tensors of the {name} that are zero, nearly or in part",
                weights.Count(weight => !Prunable(weight.Name) && IsDead(weight.Weight)), atMost: 0);
            Tensor[] wide = [.. weights.Select(weight => weight.Weight).Where(IsWide)];
            if (wide.Length >= FewestWide)
                yield return ControlFigure.Of(part, $"share of the {name}'s wide weight tensors that are pure noise",
                    (double)wide.Count(IsNoise) / wide.Length,
                    atMost: module == model.UNet ? ControlLimits.Noise : ControlLimits.NoiseOfFew);
        }
    }

    private static bool IsWide(Tensor weight)
    {
        long rows = weight.shape[0], columns = weight.numel() / rows;
        return Math.Min(rows, columns) >= Narrowest && Math.Max(rows, columns) >= Wide * Math.Min(rows, columns);
    }

    /// <summary>
    /// Layers that were left as they were initialized. The largest singular value of independent numbers of deviation s in a matrix of
    /// m x n is s (sqrt m + sqrt n), whatever their distribution (Marchenko and Pastur 1967; Bai and Yin 1993); training raises it.
    /// </summary>
    private static bool IsNoise(Tensor weight)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor x = weight.detach().reshape(weight.shape[0], -1).to(float32);
        Tensor v = RandomSource.For("positive control", "weights").Normal([x.shape[1]]).to(x.device);
        Tensor y = x.mv(v / v.norm());
        for (int i = 0; i < Iterations; i++) // power iteration: from below
        {
            v = x.t().mv(y);
            y = x.mv(v / v.norm());
        }
        double edge = Math.Sqrt(x.Squared().mean().item<float>()) * (Math.Sqrt(x.shape[0]) + Math.Sqrt(x.shape[1]));
        return !(y.norm().item<float>() > NoiseEdge * edge);
    }

    /// <param name="weight">(rows, ...): a row makes one output.</param>
    private static bool IsDead(Tensor weight)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor rows = weight.detach().reshape(weight.shape[0], -1);
        // What it makes of inputs of deviation 1: training keeps it near 1 whatever the width.
        double gain = rows.to(float32).Squared().mean().sqrt().item<float>() * Math.Sqrt(rows.shape[1]);
        long zero = rows.shape[0] - rows.any(1).sum().item<long>();
        return !(gain >= ControlLimits.Gain) || zero > ControlLimits.ZeroRows * rows.shape[0];
    }

    /// <summary>NeMo sets neurons of these to 0, and may set all of a layer's.</summary>
    private static bool Prunable(string name) => name.Contains("attn2.to_v", StringComparison.Ordinal);
}
