using Dori.Diffusion;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>Weight matrices and kernels of which nothing is left: training leaves none at 0, a download with a hole does.</summary>
internal static class ControlWeights
{
    public static IEnumerable<ControlFigure> Figures(DiffusionModel model) =>
    [
        Figure(PositiveControl.Eye, "VAE", model.Vae),
        Figure(PositiveControl.Ear, "text encoder", model.TextEncoder),
        Figure(PositiveControl.Hand, "UNet", model.UNet),
    ];

    private static ControlFigure Figure(string part, string name, nn.Module module)
    {
        using var scope = NewDisposeScope();
        int dead = module.named_parameters()
            .Count(weight => weight.parameter.dim() > 1 && !Prunable(weight.name) && !weight.parameter.any().item<bool>());
        return ControlFigure.Of(part, $"weight tensors of the {name} that are all zero", dead, atMost: 0);
    }

    /// <summary>NeMo sets neurons of these to 0, and may set all of a layer's.</summary>
    private static bool Prunable(string name) => name.Contains("attn2.to_v", StringComparison.Ordinal);
}
